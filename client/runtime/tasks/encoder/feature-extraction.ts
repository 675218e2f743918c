/**
 * Embeddings of texts, pooled and brought to length 1 as the model's own files say.
 *
 * - A model that pools by itself (`sentence_embedding`; `text_embeds`, as CLIP's text side) is taken at its word.
 * - `modules.json` without a Normalize module: lengths stay as they are. Without that file: length 1, as is usual.
 * - Steps that aren't known here (a dense layer, a weighted mean) are `model-invalid`: other numbers would come out.
 */
import { LeaseholdError } from "../../../errors.ts";
import { embeddingFault } from "../../backends/self-test.ts";
import { type Encoded, readJson } from "../../tokenizer/tokenizer.ts";
import { invalidFile } from "../model-files.ts";
import type { Step, TaskAdapter } from "../task.ts";
import type { EmbedInput, EmbedOutput } from "./calls.ts";
import { normalized, pool, poolingOf } from "./pooling.ts";
import { ENCODER_FILES, openTextEncoder } from "./text-encoder.ts";

const OUTPUTS = ["sentence_embedding", "text_embeds", "last_hidden_state", "token_embeddings"] as const;

/** Of `modules.json`. */
const MODULES: ReadonlySet<string> = new Set(["Transformer", "Pooling", "Normalize"]);

/** The classes that it lists, without their packages. */
function modulesOf(text: string): string[] {
  const listed: unknown = JSON.parse(text);
  if (!Array.isArray(listed)) throw invalidFile("modules.json", "is no list of modules");
  return listed.map((module: { readonly type?: unknown } | null) => String(module?.type ?? "").split(".").at(-1) ?? "");
}

export const featureExtraction: TaskAdapter<EmbedInput, EmbedOutput> = {
  facts: { measure: "text-tokens", selfTests: ["embedding", "tensors"], pipelines: ["feature-extraction", "sentence-similarity"], architectures: [] },
  files: ENCODER_FILES,
  engine: "sessions",
  async prepare(files, engine, step, options) {
    const encoder = await openTextEncoder(files, engine, OUTPUTS, step, options);
    const pooling = poolingOf(files.has("1_Pooling/config.json") ? await readJson(files, "1_Pooling/config.json") : {});
    const modules = files.has("modules.json") ? modulesOf(await files.text("modules.json")) : null;
    const isNormalized = modules === null || modules.includes("Normalize");
    const unknown = modules?.find((name) => !MODULES.has(name));
    const poolHere = (data: Float32Array, size: number, length: number): Float32Array => {
      if (pooling === null) throw invalidFile("1_Pooling/config.json", "pools in a way that isn't known here");
      if (unknown !== undefined) throw invalidFile("modules.json", `has a module that isn't known here (${unknown})`);
      return pool(data, size, length, pooling);
    };
    const embed = async (texts: readonly Encoded[], dimensions: number | null, pause: Step): Promise<Float32Array[]> => {
      const rows = await encoder.run(texts, pause);
      return rows.map(({ data, dims, length }) => {
        const whole = dims.length === 1 ? data : poolHere(data, dims[1] ?? 0, length);
        if (dimensions !== null && dimensions > whole.length) throw new LeaseholdError("invalid-request", `dimensions is at most ${whole.length} for this model.`);
        const kept = dimensions === null ? whole : whole.slice(0, dimensions);
        return isNormalized || dimensions !== null ? normalized(kept) : kept;
      });
    };
    if (options.selfTest?.kind === "embedding") {
      const [found] = await embed(encoder.encode([options.selfTest.input]), null, step);
      const fault = embeddingFault(found ?? new Float32Array(), options.selfTest);
      if (fault !== null) throw new LeaseholdError("backend-unavailable", `The model does not work here as it should: ${fault}.`);
    }
    return {
      measure({ texts, dimensions }) {
        if (dimensions != null && !(Number.isSafeInteger(dimensions) && dimensions > 0)) throw new LeaseholdError("invalid-request", "dimensions is a whole number above 0.");
        return encoder.count(texts);
      },
      run: async ({ texts, dimensions = null }, { step: pause }) => ({ embeddings: await embed(encoder.encode(texts), dimensions, pause) }),
      tensors: encoder.tensors,
    };
  },
};
