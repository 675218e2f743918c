/**
 * Any labels, by a model that says whether one sentence follows from another (NLI): the text, and "This example is …".
 *
 * - One label among all: by how much each follows. Each by itself: whether it follows rather than contradicts.
 */
import { LeaseholdError } from "../../../errors.ts";
import type { TaskAdapter } from "../task.ts";
import type { ClassifyOutput, ZeroShotInput } from "./calls.ts";
import { softmax } from "./pooling.ts";
import { ranked } from "./text-classification.ts";
import { ENCODER_FILES, labelsOf, openTextEncoder, textsIn, tokensOf } from "./text-encoder.ts";

export const zeroShot: TaskAdapter<ZeroShotInput, ClassifyOutput> = {
  facts: { measure: "text-tokens", selfTests: ["tensors"], pipelines: ["zero-shot-classification"], architectures: [] },
  files: ENCODER_FILES,
  engine: "sessions",
  async prepare(files, engine, step, options) {
    const encoder = await openTextEncoder(files, engine, ["logits"], step, options);
    const encode = ({ texts, labels, hypothesis }: ZeroShotInput) => {
      if (textsIn(labels, "labels").length === 0) throw new LeaseholdError("invalid-request", "labels is empty.");
      if (typeof hypothesis !== "string" || !hypothesis.includes("{}")) throw new LeaseholdError("invalid-request", "hypothesis_template has {} where the label stands.");
      return encoder.encodePairs(textsIn(texts, "texts").flatMap((text) => labels.map((label): [string, string] => [text, hypothesis.replace("{}", () => label)])));
    };
    return {
      measure: (input) => tokensOf(encode(input)),
      async run(input, { step: pause }) {
        const { texts, labels, isMultiLabel } = input;
        const rows = await encoder.run(encode(input), pause);
        const names = labelsOf(encoder.config, rows[0]?.data.length ?? 0).map((name) => name.toLowerCase());
        const follows = names.findIndex((name) => name.startsWith("entail"));
        const contradicts = names.findIndex((name) => name.startsWith("contra"));
        if (follows < 0) throw new LeaseholdError("model-invalid", "The model has no class for entailment: it is no NLI model.");
        return {
          labels: texts.map((_, at) => {
            const own = rows.slice(at * labels.length, (at + 1) * labels.length).map(({ data }) => data);
            const other = contradicts >= 0 ? contradicts : follows === 0 ? 1 : 0;
            const scores = isMultiLabel || labels.length === 1 ? own.map((data) => softmax([data[other] ?? 0, data[follows] ?? 0])[1] ?? 0) : softmax(own.map((data) => data[follows] ?? 0));
            return ranked(scores, labels);
          }),
        };
      },
      tensors: encoder.tensors,
    };
  },
};
