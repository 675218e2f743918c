/**
 * A file of the engine that is served in parts, as one again.
 *
 * - Its SHA-256 is checked: parts of two versions, or one cut short, would be a module that fails somewhere, later.
 * - A part that does not come is asked for again after each of `pausesMs`; then it is `network-failed`, which says nothing
 *   of what this browser can do.
 * - Throws another error where a part is not there or the whole is another file.
 */
import { sha256Hex } from "../../cache/digest.ts";
import { LeaseholdError } from "../../errors.ts";
import { servedAs, type PartedFile } from "../ort-files.ts";

const PAUSES_MS = [500, 2000] as const;
const TOO_MANY_REQUESTS = 429;

/** `base`: the folder that the parts are served from; ends with a slash. */
export async function joinParts(base: string, name: string, { bytes, sha256 }: PartedFile, pausesMs: readonly number[] = PAUSES_MS): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(bytes);
  await Promise.all(
    servedAs(name).map(async (file) => {
      const { begin = 0, end = bytes } = file.part ?? {};
      const part = await fetched(new URL(file.name, base), file.name, pausesMs);
      if (part.length !== end - begin) throw new Error(`${file.name} has ${part.length} bytes, not ${end - begin}`);
      whole.set(part, begin);
    }),
  );
  if ((await sha256Hex(whole)) !== sha256) throw new Error(`${name} is not the file that it should be`);
  return whole;
}

async function fetched(url: URL, name: string, pausesMs: readonly number[]): Promise<Uint8Array<ArrayBuffer>> {
  for (const pause of pausesMs) {
    try {
      return await fetchOnce(url, name);
    } catch (error) {
      if (!(error instanceof LeaseholdError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  return fetchOnce(url, name);
}

async function fetchOnce(url: URL, name: string): Promise<Uint8Array<ArrayBuffer>> {
  let answer: Response;
  try {
    answer = await fetch(url);
    if (answer.ok) return new Uint8Array(await answer.arrayBuffer());
  } catch (cause) {
    throw new LeaseholdError("network-failed", `${name}, a part of the engine, could not be fetched. Check the connection and try again.`, { cause });
  }
  if (answer.status >= 500 || answer.status === TOO_MANY_REQUESTS) throw new LeaseholdError("network-failed", `${name}, a part of the engine, can't be had at the moment (${answer.status}). Try again later.`);
  throw new Error(`${name} can't be fetched (${answer.status})`);
}
