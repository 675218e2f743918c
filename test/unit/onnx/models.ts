/** Models for tests: the small decoder where it was made available, and made-up ones. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const STORIES = join(import.meta.dirname, "../../../../shared/models/tinystories-260K/onnx/model.onnx");

/** `null` where the folder with models isn't there; with CI set that is an error. */
export function stories(): Uint8Array | null {
  if (existsSync(STORIES)) return new Uint8Array(readFileSync(STORIES));
  if (process.env.CI === "true") throw new Error("the models next to the checkout are missing");
  return null;
}

export const NOTHING = new Uint8Array(0);

export { madeModel as modelOf, madeNode as node } from "../../support/onnx.ts";
