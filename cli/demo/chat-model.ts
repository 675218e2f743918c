/** A chat model from a folder of one's own, laid out as a hub has it: the demo brings none, for npm has none. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Prices } from "../../schema/contract/models.ts";
import type { Publication } from "../publish.ts";

export const CHAT_MODEL = "chat";

const NEEDED = ["config.json", "tokenizer.json"];
const OPTIONAL = ["tokenizer_config.json", "generation_config.json", "chat_template.jinja"];
/** The first that is there. */
const GRAPHS = ["onnx/model_q4.onnx", "onnx/model_quantized.onnx", "onnx/model.onnx"];

export function chatPublication(folder: string, prices: Prices): Publication {
  const graph = GRAPHS.find((path) => existsSync(join(folder, path)));
  const missing = [...NEEDED.filter((path) => !existsSync(join(folder, path))), ...(graph ? [] : [GRAPHS.join(" or ")])];
  if (!graph || missing.length > 0) throw new Error(`${folder} is no chat model as a hub has one: ${missing.join(", ")} is missing.`);
  const files = [...NEEDED, ...OPTIONAL.filter((path) => existsSync(join(folder, path))), graph];
  return {
    task: "text-generation",
    usage: { measure: "text-tokens" },
    prices,
    variants: [{ id: "own", files: files.map((path) => ({ path, source: join(folder, path) })) }],
  };
}
