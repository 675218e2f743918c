/**
 * The bytes of one file of a model, wherever they are. Worker side.
 *
 * - A file that is on its way gives what is there: `read` waits for the rest, `readNow` is for when all has arrived.
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
  arrived(): Promise<unknown>;
}

/** Memory that files may share: it goes when the last of its parts is let go. */
export class PartMemory {
  readonly #holders = new Map<object, number>();

  hold({ memory }: Part): void {
    this.#holders.set(memory, (this.#holders.get(memory) ?? 0) + 1);
  }

  letGo({ memory, bytes }: Part): void {
    const holders = (this.#holders.get(memory) ?? 0) - 1;
    this.#holders.set(memory, holders);
    const buffer = bytes?.buffer;
    // At once, where the browser can: collecting garbage comes when it comes.
    if (holders === 0 && buffer && "transfer" in buffer) buffer.transfer(0);
  }
}

/** One part of a file, or the same of several. */
export interface Part {
  readonly size: number;
  /** Null while it is on its way. */
  bytes: Uint8Array<ArrayBuffer> | null;
  readonly arrival: Promise<void>;
  /** One and the same for parts that share their memory. */
  readonly memory: object;
}

/** Parts that are given one after another, by their numbers. */
export class Arrivals {
  readonly #parts = new Map<number, Part & { readonly come: () => void }>();

  part(part: number, size: number): Part {
    const known = this.#parts.get(part);
    if (known) return known;
    const { promise, resolve } = Promise.withResolvers<void>();
    const made = { size, bytes: null, arrival: promise, memory: promise, come: resolve };
    this.#parts.set(part, made);
    return made;
  }

  give(part: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.part(part, bytes.length);
    const given = this.#parts.get(part);
    if (!given) return;
    given.bytes = bytes;
    given.come();
  }
}

export function contentOf(file: RuntimeFile, memory = new PartMemory(), arrivals = new Arrivals()): FileContent {
  if ("blob" in file) return storedContent(file.blob);
  if ("arriving" in file) return loadedContent(file.arriving.map(({ part, size }) => arrivals.part(part, size)), memory);
  return loadedContent(file.parts.map((bytes) => ({ size: bytes.length, bytes, arrival: Promise.resolve(), memory: bytes.buffer })), memory);
}

const storedContent = (blob: Blob): StoredContent => ({
  kind: "stored",
  blob,
  size: blob.size,
  read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
});

function loadedContent(parts: readonly Part[], memory: PartMemory): LoadedContent {
  let size = 0;
  let placed = parts.map((part) => {
    const begin = size;
    size += part.size;
    memory.hold(part);
    return { part, begin, end: size };
  });
  const touching = (offset: number, length: number) => placed.filter(({ begin, end }) => begin < offset + length && end > offset);
  const bytesOf = ({ bytes }: Part): Uint8Array<ArrayBuffer> => {
    if (!bytes) throw new Error("this part of the file has not arrived");
    return bytes;
  };
  const readNow = (offset: number, length: number): Uint8Array<ArrayBuffer> => {
    const end = offset + length;
    const touched = touching(offset, length);
    const [first] = touched;
    if (touched.reduce((sum, place) => sum + Math.min(end, place.end) - Math.max(offset, place.begin), 0) !== length) throw new Error("this part of the file was let go");
    if (!first) return new Uint8Array();
    if (touched.length === 1) return bytesOf(first.part).subarray(offset - first.begin, end - first.begin);
    const joined = new Uint8Array(length);
    for (const { part, begin } of touched) {
      const from = Math.max(offset, begin);
      joined.set(bytesOf(part).subarray(from - begin, end - begin), from - offset);
    }
    return joined;
  };
  const keepOnly = (ranges: readonly FileRange[]): void => {
    const isKept = ({ begin, end }: { begin: number; end: number }) => ranges.some(({ offset, length }) => begin < offset + length && end > offset);
    for (const place of placed) if (!isKept(place)) memory.letGo(place.part);
    placed = placed.filter(isKept);
  };
  const read = async (offset: number, length: number) => {
    await Promise.all(touching(offset, length).map(({ part }) => part.arrival));
    return readNow(offset, length);
  };
  return { kind: "loaded", size, readNow, read, keepOnly, arrived: () => Promise.all(parts.map(({ arrival }) => arrival)) };
}
