/**
 * Embeddings of texts, pooled and brought to length 1 as the model's own files say.
 *
 * - A model that pools by itself (`sentence_embedding`) is taken at its word.
 * - `modules.json` without a Normalize module: lengths stay as they are. Without that file: length 1, as is usual.
 */
import { LeaseholdError } from "../../../errors.ts";
import { readJson } from "../../tokenizer/tokenizer.ts";
import type { TaskAdapter } from "../task.ts";
import type { EmbedInput, EmbedOutput } from "./calls.ts";
import { normalized, pool, poolingOf } from "./pooling.ts";
import { ENCODER_FILES, openTextEncoder } from "./text-encoder.ts";

const OUTPUTS = ["sentence_embedding", "last_hidden_state", "token_embeddings"] as const;

export const featureExtraction: TaskAdapter<EmbedInput, EmbedOutput> = {
  files: ENCODER_FILES,
  engine: "sessions",
  async prepare(files, engine, step) {
    const encoder = await openTextEncoder(files, engine, OUTPUTS, step);
    const pooling = poolingOf(files.has("1_Pooling/config.json") ? await readJson(files, "1_Pooling/config.json") : {});
    const isNormalized = !files.has("modules.json") || (await files.text("modules.json")).includes("Normalize");
    return {
      async run({ texts, isMeasure, dimensions }, { step: pause }) {
        const encoded = encoder.encode(texts);
        const tokens = encoded.reduce((sum, { ids }) => sum + ids.length, 0);
        if (isMeasure) return { embeddings: [], tokens };
        const rows = await encoder.run(encoded, pause);
        const embeddings = rows.map(({ data, dims, length }) => {
          const whole = dims.length === 1 ? data : pool(data, dims[1] ?? 0, length, pooling);
          if (dimensions !== null && dimensions > whole.length) throw new LeaseholdError("invalid-request", `dimensions is at most ${whole.length} for this model.`);
          const kept = dimensions === null ? whole : whole.slice(0, dimensions);
          return isNormalized || dimensions !== null ? normalized(kept) : kept;
        });
        return { embeddings, tokens };
      },
    };
  },
};
