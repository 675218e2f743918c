/**
 * Text generation: a decoder, a tokenizer, and the files that say how to use them.
 *
 * - Where the manifest brings a self-test, the decoder goes on with its tokens, one for one (`check-tokens.ts`).
 */
import { LeaseholdError } from "../../../errors.ts";
import { readyKernels } from "../../decode/kernel/ready.ts";
import { openDecoder } from "../../decode/open-decoder.ts";
import { gathered } from "../../generate/gathered.ts";
import { Generator } from "../../generate/generator.ts";
import { loadTokenizer, readJson } from "../../tokenizer/tokenizer.ts";
import type { Step, TaskAdapter } from "../task.ts";
import type { GenerateEvent, GenerateInput, GenerateNote, GenerateOutput } from "./request.ts";

/** What conversations that are set aside may take, beside the model: a share of what that may take. */
const KEPT = 1 / 8;

export const textGeneration: TaskAdapter<GenerateInput, GenerateOutput, GenerateEvent, GenerateNote> = {
  facts: { measure: "text-tokens", selfTests: ["tokens"], pipelines: ["text-generation"], architectures: ["ForCausalLM"] },
  files: ["config.json", "tokenizer.json"],
  engine: "on-demand",
  isAhead: true,
  async prepare(files, engine, step, { memoryBytes, selfTest, withoutKernels }) {
    if (engine.backend === "wasm" && withoutKernels === undefined) void readyKernels(engine.threads > 1); // meanwhile
    const tokenizer = await loadTokenizer(files);
    const modelConfig = await readJson(files, "config.json");
    const generationConfig = files.has("generation_config.json") ? await readJson(files, "generation_config.json") : {};
    if (selfTest && selfTest.kind !== "tokens") throw new LeaseholdError("model-invalid", `The model's self-test is of the kind "${selfTest.kind}", and a text model's is of "tokens".`);
    await files.checked;
    const remarks: string[] = [];
    const onRemark = (remark: string) => void remarks.push(remark);
    const decoder = await openDecoder(files, engine, { memoryBytes, onRemark, ...(selfTest && { selfTest }), ...(withoutKernels !== undefined && { withoutKernels }) }, step);
    const generator = new Generator({ decoder, tokenizer, generationConfig, modelConfig, keptBytes: memoryBytes * KEPT });
    return {
      ...(remarks.length > 0 && { remark: remarks.join(". ") }),
      async run(input, { step, emit, notes }) {
        const pieces = gathered(emit, () => performance.now());
        const looking: Step = (stage) => {
          pieces.look();
          return step(stage);
        };
        try {
          return await generator.run(input, looking, { emit: pieces.emit, notes });
        } finally {
          pieces.end();
        }
      },
      threads: () => decoder.threads ?? null,
    };
  },
};
