/**
 * The bytes of one file of a model, wherever they are. Worker side.
 *
 * - What is asked for lies within `size`. What is given may be a view of the file's own memory: to be read, not written.
 * - A session asks for weights in the middle of its start: what is loaded gives them at once; a Blob has its own reader.
 * - `keepOnly` gives memory back before the file is done with: what lies outside of the ranges is asked for no more.
 */
import type { ByteSource } from "../../../schema/onnx/source.ts";
import type { RuntimeFile } from "../protocol.ts";

export type FileContent = StoredContent | LoadedContent;

export interface FileRange {
  readonly offset: number;
  readonly length: number;
}

interface StoredContent extends ByteSource {
  readonly kind: "stored";
  readonly blob: Blob;
}

interface LoadedContent extends ByteSource {
  readonly kind: "loaded";
  readNow(offset: number, length: number): Uint8Array<ArrayBuffer>;
  keepOnly(ranges: readonly FileRange[]): void;
}

/** Memory that files may share: it goes when the last of its parts is let go. */
export class PartMemory {
  readonly #holders = new Map<ArrayBuffer, number>();

  hold({ buffer }: Uint8Array<ArrayBuffer>): void {
    this.#holders.set(buffer, (this.#holders.get(buffer) ?? 0) + 1);
  }

  letGo({ buffer }: Uint8Array<ArrayBuffer>): void {
    const holders = (this.#holders.get(buffer) ?? 0) - 1;
    this.#holders.set(buffer, holders);
    // At once, where the browser can: collecting garbage comes when it comes.
    if (holders === 0 && "transfer" in buffer) buffer.transfer(0);
  }
}

export const contentOf = (file: RuntimeFile, memory = new PartMemory()): FileContent => ("blob" in file ? storedContent(file.blob) : loadedContent(file.parts, memory));

const storedContent = (blob: Blob): StoredContent => ({
  kind: "stored",
  blob,
  size: blob.size,
  read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
});

function loadedContent(parts: readonly Uint8Array<ArrayBuffer>[], memory: PartMemory): LoadedContent {
  let size = 0;
  let placed = parts.map((bytes) => {
    const begin = size;
    size += bytes.length;
    memory.hold(bytes);
    return { bytes, begin, end: size };
  });
  const readNow = (offset: number, length: number): Uint8Array<ArrayBuffer> => {
    const end = offset + length;
    const touched = placed.filter((part) => part.begin < end && part.end > offset);
    const [first] = touched;
    if (touched.reduce((sum, part) => sum + Math.min(end, part.end) - Math.max(offset, part.begin), 0) !== length) throw new Error("this part of the file was let go");
    if (!first) return new Uint8Array();
    if (touched.length === 1) return first.bytes.subarray(offset - first.begin, end - first.begin);
    const joined = new Uint8Array(length);
    for (const { bytes, begin } of touched) {
      const from = Math.max(offset, begin);
      joined.set(bytes.subarray(from - begin, end - begin), from - offset);
    }
    return joined;
  };
  const keepOnly = (ranges: readonly FileRange[]): void => {
    const isKept = ({ begin, end }: { begin: number; end: number }) => ranges.some(({ offset, length }) => begin < offset + length && end > offset);
    for (const part of placed) if (!isKept(part)) memory.letGo(part.bytes);
    placed = placed.filter(isKept);
  };
  return { kind: "loaded", size, readNow, read: async (offset, length) => readNow(offset, length), keepOnly };
}
