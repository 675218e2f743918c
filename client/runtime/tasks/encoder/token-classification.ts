/** Entities in texts. */
import { LeaseholdError } from "../../../errors.ts";
import type { TaskAdapter } from "../task.ts";
import type { TagInput, TagOutput } from "./calls.ts";
import { entities, type Tagged } from "./entities.ts";
import { softmax } from "./pooling.ts";
import { ENCODER_FILES, labelsOf, openTextEncoder } from "./text-encoder.ts";

export const tokenClassification: TaskAdapter<TagInput, TagOutput> = {
  facts: { measure: "text-tokens", selfTests: ["tensors"], pipelines: ["token-classification"], architectures: ["ForTokenClassification"] },
  files: ENCODER_FILES,
  engine: "sessions",
  async prepare(files, engine, step, options) {
    const encoder = await openTextEncoder(files, engine, ["logits"], step, options);
    return {
      measure: ({ texts }) => encoder.count(texts),
      async run({ texts, aggregation }, { step: pause }) {
        const encoded = encoder.encode(texts);
        const rows = await encoder.run(encoded, pause);
        return {
          entities: rows.map(({ data, dims: [, classes = 0] }, at) => {
            if (classes === 0) throw new LeaseholdError("model-invalid", "The model gives no label for each token.");
            const labels = labelsOf(encoder.config, classes);
            const ids = encoded[at]?.ids ?? [];
            const spelled = encoder.tokenizer.spell(ids);
            const tagged = ids.flatMap((id, place): Tagged[] => {
              const scores = softmax(data.subarray(place * classes, (place + 1) * classes));
              const best = scores.indexOf(Math.max(...scores));
              return encoder.tokenizer.isSpecial(id) ? [] : [{ token: spelled[place] ?? "", label: labels[best] ?? "O", score: scores[best] ?? 0 }];
            });
            return entities(texts[at] ?? "", tagged, aggregation);
          }),
        };
      },
      tensors: encoder.tensors,
    };
  },
};
