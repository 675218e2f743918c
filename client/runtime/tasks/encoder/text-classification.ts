/**
 * Labels of texts. By the model's `problem_type`: each label by itself, or (regression) the number as it is; else one
 * among all.
 */
import type { JsonObject } from "../../tokenizer/tokenizer.ts";
import type { TaskAdapter } from "../task.ts";
import type { ClassifyInput, ClassifyOutput, Label } from "./calls.ts";
import { sigmoid, softmax } from "./pooling.ts";
import { ENCODER_FILES, labelsOf, openTextEncoder } from "./text-encoder.ts";

export const textClassification: TaskAdapter<ClassifyInput, ClassifyOutput> = {
  facts: { measure: "text-tokens", selfTests: ["tensors"], pipelines: ["text-classification"], architectures: ["ForSequenceClassification"] },
  files: ENCODER_FILES,
  engine: "sessions",
  async prepare(files, engine, step, options) {
    const encoder = await openTextEncoder(files, engine, ["logits"], step, options);
    return {
      measure: ({ texts }) => encoder.count(texts),
      async run({ texts }, { step: pause }) {
        const rows = await encoder.run(encoder.encode(texts), pause);
        return { labels: rows.map(({ data }) => ranked(scoresOf(encoder.config, data), labelsOf(encoder.config, data.length))) };
      },
      tensors: encoder.tensors,
    };
  },
};

export function scoresOf({ problem_type: problem }: JsonObject, logits: Float32Array): number[] {
  if (problem === "regression") return [...logits];
  return problem === "multi_label_classification" || logits.length === 1 ? [...logits].map(sigmoid) : softmax(logits);
}

export const ranked = (scores: readonly number[], labels: readonly string[]): Label[] =>
  scores.map((score, at) => ({ label: labels[at] ?? "", score })).sort((a, b) => b.score - a.score);
