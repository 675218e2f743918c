/** Labels of texts. Each label by itself where the model's `problem_type` says so, else one among all. */
import type { TaskAdapter } from "../task.ts";
import type { ClassifyInput, ClassifyOutput, Label } from "./calls.ts";
import { sigmoid, softmax } from "./pooling.ts";
import { ENCODER_FILES, labelsOf, openTextEncoder } from "./text-encoder.ts";

export const textClassification: TaskAdapter<ClassifyInput, ClassifyOutput> = {
  files: ENCODER_FILES,
  engine: "sessions",
  async prepare(files, engine, step, options) {
    const encoder = await openTextEncoder(files, engine, ["logits"], step, options);
    const isByItself = encoder.config["problem_type"] === "multi_label_classification";
    return {
      async run({ texts, isMeasure }, { step: pause }) {
        const encoded = encoder.encode(texts);
        const tokens = encoded.reduce((sum, { ids }) => sum + ids.length, 0);
        if (isMeasure) return { labels: [], tokens };
        const rows = await encoder.run(encoded, pause);
        return { labels: rows.map(({ data }) => ranked(isByItself || data.length === 1 ? [...data].map(sigmoid) : softmax(data), labelsOf(encoder.config, data.length))), tokens };
      },
    };
  },
};

export const ranked = (scores: readonly number[], labels: readonly string[]): Label[] =>
  scores.map((score, at) => ({ label: labels[at] ?? "", score })).sort((a, b) => b.score - a.score);
