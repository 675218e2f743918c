/** Models for tests: the small decoder where it was made available, and made-up ones. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { smallDecoder } from "../../support/real-models.ts";

/** `null` where the folder with models isn't there; with CI set that is an error. */
export function stories(): Uint8Array | null {
  const { folder } = smallDecoder();
  return folder === null ? null : new Uint8Array(readFileSync(join(folder, "onnx/model.onnx")));
}

export const NOTHING = new Uint8Array(0);

export { madeModel as modelOf, madeNode as node } from "../../support/onnx.ts";
