/**
 * A file of the engine that is served in parts, as one again.
 *
 * - Its SHA-256 is checked: parts of two versions, or one cut short, would be a module that fails somewhere, later.
 * - A part that does not come is `network-failed` (engine-files.ts); another error says that one is not there, or that the
 *   whole is another file.
 */
import { sha256Hex } from "../../cache/digest.ts";
import { servedAs, type PartedFile } from "../ort-files.ts";
import { fetchFile } from "./engine-files.ts";

/** `base`: the folder that the parts are served from; ends with a slash. */
export async function joinParts(base: string, name: string, { bytes, sha256 }: PartedFile, pausesMs?: readonly number[]): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(bytes);
  await Promise.all(
    servedAs(name).map(async (file) => {
      const { begin = 0, end = bytes } = file.part ?? {};
      const part = await fetchFile(new URL(file.name, base), async (answer) => new Uint8Array(await answer.arrayBuffer()), pausesMs);
      if (part.length !== end - begin) throw new Error(`${file.name} has ${part.length} bytes, not ${end - begin}`);
      whole.set(part, begin);
    }),
  );
  if ((await sha256Hex(whole)) !== sha256) throw new Error(`${name} is not the file that it should be`);
  return whole;
}
