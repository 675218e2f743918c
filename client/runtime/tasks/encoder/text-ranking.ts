/**
 * How much each document has to do with a question, by a model that reads both together (a cross-encoder).
 *
 * - Scores are from 0 to 1, whatever the model's files say of its logits: their order is the same.
 */
import { LeaseholdError } from "../../../errors.ts";
import type { TaskAdapter } from "../task.ts";
import { sigmoid, softmax } from "./pooling.ts";
import { ENCODER_FILES, openTextEncoder, textsIn, tokensOf } from "./text-encoder.ts";

export interface RankInput {
  readonly query: string;
  readonly documents: readonly string[];
}

export interface RankOutput {
  /** Best first. `index`: the document's place in the input. */
  readonly results: readonly { readonly index: number; readonly score: number }[];
}

export const textRanking: TaskAdapter<RankInput, RankOutput> = {
  facts: { measure: "text-tokens", selfTests: ["tensors"], pipelines: ["text-ranking"], architectures: [] },
  files: ENCODER_FILES,
  engine: "sessions",
  async prepare(files, engine, step, options) {
    const encoder = await openTextEncoder(files, engine, ["logits"], step, options);
    const encode = ({ query, documents }: RankInput) => {
      if (typeof query !== "string") throw new LeaseholdError("invalid-request", "query is a text.");
      if (textsIn(documents, "documents").length === 0) throw new LeaseholdError("invalid-request", "documents is empty.");
      return encoder.encodePairs(documents.map((document): [string, string] => [query, document]));
    };
    return {
      measure: (input) => tokensOf(encode(input)),
      async run(input, { step: pause }) {
        const rows = await encoder.run(encode(input), pause);
        return { results: rows.map(({ data }, index) => ({ index, score: scoreOf(data) })).sort((a, b) => b.score - a.score || a.index - b.index) };
      },
      tensors: encoder.tensors,
    };
  },
};

/** One logit, or one against and one for. */
function scoreOf(logits: Float32Array): number {
  if (logits.length > 2) throw new LeaseholdError("model-invalid", `The model tells ${logits.length} classes of pairs apart: it is no model that ranks.`);
  return logits.length === 1 ? sigmoid(logits[0] ?? 0) : (softmax(logits)[1] ?? 0);
}
