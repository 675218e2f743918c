/** Labels or embeddings of pictures (ViT, CLIP and their kind), one after another. */
import type { InferenceSession } from "onnxruntime-web";
import { imageTokens } from "../../../../schema/contract/measure.ts";
import { LeaseholdError } from "../../../errors.ts";
import { strokes } from "../../backends/self-test.ts";
import { readJson } from "../../tokenizer/tokenizer.ts";
import { floatsOf } from "../floats.ts";
import { imageSize } from "../ocr/decode-size.ts";
import { runTensors } from "../raw/run-tensors.ts";
import type { TaskAdapter } from "../task.ts";
import { openTrusted } from "../trusted-session.ts";
import type { ImageInput, ImageOutput, Label } from "./calls.ts";
import { pixelValues, planPicture } from "./picture-plan.ts";
import { normalized, pool } from "./pooling.ts";
import { ranked, scoresOf } from "./text-classification.ts";
import { labelsOf } from "./text-encoder.ts";

const EMBEDDINGS = ["image_embeds", "pooler_output", "last_hidden_state"] as const;

export const imageClassification: TaskAdapter<ImageInput, ImageOutput> = {
  facts: { measure: "image-tokens", selfTests: ["tensors"], pipelines: ["image-classification"], architectures: ["ForImageClassification"] },
  files: ["config.json", "preprocessor_config.json"],
  engine: "sessions",
  async prepare(files, engine, step, { selfTest }) {
    const [config, preparation] = [await readJson(files, "config.json"), await readJson(files, "preprocessor_config.json")];
    const seen = planPicture(preparation, { width: 224, height: 224 });
    const session = await openTrusted(files, engine, step, {
      selfTest,
      trial: (opened) => {
        if (!opened.inputNames.includes("pixel_values")) throw new LeaseholdError("model-invalid", "The model takes no pixel_values: it is no model for pictures.");
        const { tensor, dims } = strokes([1, 3, seen.height, seen.width]);
        return { feeds: { pixel_values: new engine.api.Tensor("float32", tensor, dims) }, output: outputFor("labels", opened) ?? outputFor("embedding", opened) ?? "" };
      },
    });
    return {
      measure: ({ images }) => countPictures(images),
      async run({ images, want }, { step: pause }) {
        const name = outputFor(want, session);
        if (name === undefined) throw new LeaseholdError("invalid-request", `This model gives no ${want === "labels" ? "labels" : "embeddings"}.`);
        const labels: Label[][] = [];
        const embeddings: Float32Array[] = [];
        for (const image of images) {
          await pause();
          const { values, width, height } = await read(image, preparation);
          const { [name]: output } = await session.run({ pixel_values: new engine.api.Tensor("float32", values, [1, 3, height, width]) }, [name]);
          const data = output && floatsOf(output.type, await output.getData());
          if (!output || !data?.every(Number.isFinite)) throw new Error("the model's results are no numbers");
          if (want === "labels") labels.push(ranked(scoresOf(config, data), labelsOf(config, data.length)));
          else embeddings.push(normalized(output.dims.length === 3 ? pool(data, output.dims[2] ?? 0, output.dims[1] ?? 1, "cls") : data));
        }
        return { labels, embeddings };
      },
      tensors: (call, pause) => runTensors(session, engine.api, call, pause),
    };
  },
};

async function countPictures(images: readonly Blob[]): Promise<number> {
  if (!Array.isArray(images) || !images.every((image) => image instanceof Blob)) throw new LeaseholdError("invalid-request", "images is a list of pictures.");
  const sizes = await Promise.all(images.map(imageSize));
  return sizes.reduce((sum, { width, height }) => sum + imageTokens(width, height), 0);
}

const outputFor = (want: ImageInput["want"], { outputNames }: InferenceSession): string | undefined => (want === "labels" ? ["logits"] : EMBEDDINGS).find((name) => outputNames.includes(name));

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
