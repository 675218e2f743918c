/**
 * The bytes of one file of a model, wherever they are. Worker side.
 *
 * - What is asked for lies within `size`. What is given may be a view of the file's own memory: to be read, not written.
 * - A session asks for weights in the middle of its start: what is loaded gives them at once; a Blob has its own reader.
 */
import type { ByteSource } from "../../../schema/onnx/source.ts";
import type { RuntimeFile } from "../protocol.ts";

export type FileContent = StoredContent | LoadedContent;

interface StoredContent extends ByteSource {
  readonly kind: "stored";
  readonly blob: Blob;
}

interface LoadedContent extends ByteSource {
  readonly kind: "loaded";
  readNow(offset: number, length: number): Uint8Array<ArrayBuffer>;
}

export const contentOf = (file: RuntimeFile): FileContent => ("blob" in file ? storedContent(file.blob) : loadedContent(file.parts));

const storedContent = (blob: Blob): StoredContent => ({
  kind: "stored",
  blob,
  size: blob.size,
  read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
});

function loadedContent(parts: readonly Uint8Array<ArrayBuffer>[]): LoadedContent {
  let size = 0;
  const placed = parts.map((bytes) => {
    const begin = size;
    size += bytes.length;
    return { bytes, begin, end: size };
  });
  const readNow = (offset: number, length: number): Uint8Array<ArrayBuffer> => {
    const end = offset + length;
    const touched = placed.filter((part) => part.begin < end && part.end > offset);
    const [first] = touched;
    if (!first) return new Uint8Array();
    if (touched.length === 1) return first.bytes.subarray(offset - first.begin, end - first.begin);
    const joined = new Uint8Array(length);
    for (const { bytes, begin } of touched) {
      const from = Math.max(offset, begin);
      joined.set(bytes.subarray(from - begin, end - begin), from - offset);
    }
    return joined;
  };
  return { kind: "loaded", size, readNow, read: async (offset, length) => readNow(offset, length) };
}
