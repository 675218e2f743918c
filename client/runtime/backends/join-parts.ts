/**
 * A file of the engine that is served in parts, as one again.
 *
 * - Its SHA-256 is checked: parts of two versions, or one cut short, would be a module that fails somewhere, later.
 * - Throws where a part can't be had or the whole is another file.
 */
import { sha256Hex } from "../../cache/digest.ts";
import { servedAs, type PartedFile } from "../ort-files.ts";

/** `base`: the folder that the parts are served from; ends with a slash. */
export async function joinParts(base: string, name: string, { bytes, sha256 }: PartedFile): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(bytes);
  await Promise.all(
    servedAs(name).map(async (file) => {
      const { begin = 0, end = bytes } = file.part ?? {};
      const answer = await fetch(new URL(file.name, base));
      if (!answer.ok) throw new Error(`${file.name} can't be fetched (${answer.status})`);
      const part = new Uint8Array(await answer.arrayBuffer());
      if (part.length !== end - begin) throw new Error(`${file.name} has ${part.length} bytes, not ${end - begin}`);
      whole.set(part, begin);
    }),
  );
  if ((await sha256Hex(whole)) !== sha256) throw new Error(`${name} is not the file that it should be`);
  return whole;
}
