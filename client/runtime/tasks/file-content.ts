/**
 * The bytes of one file of a model, wherever they are. Worker side.
 *
 * - A file that is on its way gives what is there: `read` waits for the rest, `readNow` is for when all has arrived.
 * - What is asked for lies within `size`. What is given may be a view of the file's own memory: to be read, not written.
 * - A session asks for weights in the middle of its start: what is loaded gives them at once; a Blob has its own reader.
 * - `keepOnly` gives memory back before the file is done with: what lies outside of the ranges is asked for no more.
 * - A part may come before its SHA-256 was taken: then it is taken here, where the memory goes or when `verified` is asked.
 */
import type { ByteSource } from "../../../schema/onnx/source.ts";
import { sha256Hex } from "../../cache/digest.ts";
import { giveBack } from "../../give-back.ts";
import { timed } from "../../timing.ts";
import type { ArrivingPart, RuntimeFile } from "../protocol.ts";
import { PartFault } from "./part-fault.ts";

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
  /** All parts have arrived and are what they should be: rejects with `PartFault`. */
  verified(): Promise<unknown>;
}

/** Memory that files may share: it goes when the last of its parts is let go. */
export class PartMemory {
  readonly #holders = new Map<object, number>();

  hold({ memory }: Part): void {
    this.#holders.set(memory, (this.#holders.get(memory) ?? 0) + 1);
  }

  letGo(part: Part): void {
    const holders = (this.#holders.get(part.memory) ?? 0) - 1;
    this.#holders.set(part.memory, holders);
    if (holders > 0 || !part.bytes) return;
    part.verified().catch(() => undefined); // begins with a copy; whoever asks the file hears of it
    giveBack(part.bytes.buffer);
  }
}

/** One part of a file, or the same of several. */
export interface Part {
  readonly size: number;
  /** Null while it is on its way. */
  readonly bytes: Uint8Array<ArrayBuffer> | null;
  readonly arrival: Promise<void>;
  /** One and the same for parts that share their memory. */
  readonly memory: object;
  verified(): Promise<void>;
}

class ArrivingBytes implements Part {
  readonly size: number;
  readonly arrival: Promise<void>;
  readonly #come: () => void;
  #given: Pick<ArrivingPart, "bytes" | "due"> | null = null;
  #verified: Promise<void> | null = null;

  constructor(size: number) {
    this.size = size;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.arrival = promise;
    this.#come = resolve;
  }

  get memory(): object {
    return this.arrival;
  }

  get bytes(): Uint8Array<ArrayBuffer> | null {
    return this.#given?.bytes ?? null;
  }

  give(given: Pick<ArrivingPart, "bytes" | "due">): void {
    this.#given = given;
    this.#come();
  }

  /** What has arrived is copied when this is called, if at all. */
  verified(): Promise<void> {
    if (!this.#given) return this.arrival.then(() => this.verified());
    const { bytes, due } = this.#given;
    this.#verified ??= due === null ? Promise.resolve() : timed("part: digest", () => sha256Hex(bytes)).then((sha256) => {
      if (sha256 !== due) throw new PartFault();
    });
    return this.#verified;
  }
}

/** Parts that are given one after another, by their numbers. Kept until `end`: then whoever still has a file of them keeps it. */
export class Arrivals {
  readonly #parts = new Map<number, ArrivingBytes>();

  part(part: number, size: number): Part {
    return this.#part(part, size);
  }

  give({ part, ...given }: Omit<ArrivingPart, "kind">): void {
    this.#part(part, given.bytes.length).give(given);
  }

  end(): void {
    this.#parts.clear();
  }

  #part(part: number, size: number): ArrivingBytes {
    const known = this.#parts.get(part) ?? new ArrivingBytes(size);
    this.#parts.set(part, known);
    return known;
  }
}

export function contentOf(file: RuntimeFile, memory = new PartMemory(), arrivals = new Arrivals()): FileContent {
  if ("blob" in file) return storedContent(file.blob);
  if ("arriving" in file) return loadedContent(file.arriving.map(({ part, size }) => arrivals.part(part, size)), memory);
  return loadedContent(file.parts.map((bytes) => ({ size: bytes.length, bytes, arrival: Promise.resolve(), memory: bytes.buffer, verified: () => Promise.resolve() })), memory);
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
  return { kind: "loaded", size, readNow, read, keepOnly, arrived: () => Promise.all(parts.map(({ arrival }) => arrival)), verified: () => Promise.all(parts.map((part) => part.verified())) };
}
