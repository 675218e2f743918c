/** Labels or embeddings of pictures (ViT, CLIP and their kind), one after another. */
import { LeaseholdError } from "../../../errors.ts";
import { readJson } from "../../tokenizer/tokenizer.ts";
import type { TaskAdapter } from "../task.ts";
import type { ImageInput, ImageOutput, Label } from "./calls.ts";
import { pixelValues, planPicture } from "./picture-plan.ts";
import { normalized, pool, softmax } from "./pooling.ts";
import { ranked } from "./text-classification.ts";
import { labelsOf, openSession } from "./text-encoder.ts";

const EMBEDDINGS = ["image_embeds", "pooler_output", "last_hidden_state"] as const;

export const imageClassification: TaskAdapter<ImageInput, ImageOutput> = {
  files: ["config.json", "preprocessor_config.json"],
  engine: "sessions",
  async prepare(files, engine, step) {
    const [config, preparation] = [await readJson(files, "config.json"), await readJson(files, "preprocessor_config.json")];
    const session = await openSession(files, engine, step);
    if (!session.inputNames.includes("pixel_values")) throw new LeaseholdError("model-invalid", "The model takes no pixel_values: it is no model for pictures.");
    return {
      async run({ images, want }, { step: pause }) {
        const name = want === "labels" ? "logits" : EMBEDDINGS.find((output) => session.outputNames.includes(output));
        if (name === undefined || !session.outputNames.includes(name)) throw new LeaseholdError("invalid-request", `This model gives no ${want === "labels" ? "labels" : "embeddings"}.`);
        const labels: Label[][] = [];
        const embeddings: Float32Array[] = [];
        for (const image of images) {
          await pause();
          const { values, width, height } = await read(image, preparation);
          const { [name]: output } = await session.run({ pixel_values: new engine.api.Tensor("float32", values, [1, 3, height, width]) }, [name]);
          const data = await output?.getData();
          if (!output || !(data instanceof Float32Array) || !data.every(Number.isFinite)) throw new Error("the model's results are no numbers");
          if (want === "labels") labels.push(ranked(softmax(data), labelsOf(config, data.length)));
          else embeddings.push(normalized(output.dims.length === 3 ? pool(data, output.dims[2] ?? 0, output.dims[1] ?? 1, "cls") : data));
        }
        return { labels, embeddings };
      },
    };
  },
};

async function read(image: Blob, preparation: Readonly<Record<string, unknown>>) {
  const bitmap = await createImageBitmap(image).catch((error: unknown) => {
    throw new LeaseholdError("image-unreadable", "This is not a picture that this browser can open.", { cause: error });
  });
  const { width, height, place } = planPicture(preparation, bitmap);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser gives no canvas");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, place.x, place.y, place.width, place.height);
  bitmap.close();
  return { values: pixelValues(preparation, context.getImageData(0, 0, width, height).data, { width, height }), width, height };
}
