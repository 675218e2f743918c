/**
 * A file that comes in parts of any sizes, cut into chunks of `CHUNK_BYTES`; the last is what is left. One of them is in
 * memory at a time.
 *
 * - Whoever takes the chunks may stop after any of them, wherever the parts end: what came beyond it is dropped.
 * - Throws a `HubFault` where less comes than is left of the file, or more.
 */
import { CHUNK_BYTES } from "../../schema/contract/models.ts";
import { type HubFile, HubFault } from "./hub.ts";

/** `parts`: the file's bytes from `offset` on. */
export async function* inChunks(parts: AsyncIterable<Uint8Array>, { path, size }: Pick<HubFile, "path" | "size">, offset: number, chunkBytes = CHUNK_BYTES): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const next = () => new Uint8Array(Math.min(chunkBytes, size - offset));
  let [chunk, filled] = [next(), 0];
  for await (const bytes of parts) {
    for (let at = 0; at < bytes.byteLength; ) {
      if (chunk.byteLength === 0) throw new HubFault("source-changed", `${path} is larger than the hub said.`);
      const part = bytes.subarray(at, at + chunk.byteLength - filled);
      chunk.set(part, filled);
      [filled, at] = [filled + part.byteLength, at + part.byteLength];
      if (filled < chunk.byteLength) break;
      yield chunk;
      offset += filled;
      [chunk, filled] = [next(), 0];
    }
  }
  if (offset < size) throw new HubFault("source-unreachable", `${path} broke off after ${offset + filled} of ${size} bytes.`);
}
