/**
 * Judges the ONNX files of a revision whose chunks are stored. The structure is read; chunks that hold weights alone are
 * not, nor is any other file, and one chunk at a time is in memory. All files of a revision share what they may cost.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { ModelFile, Variant } from "../../schema/contract/models.ts";
import type { ModelRefusal } from "../../schema/onnx/fault.ts";
import { INSPECT_LIMITS, inspectOnnx } from "../../schema/onnx/inspect.ts";
import { OnnxError } from "../../schema/onnx/error.ts";
import type { Spent } from "../../schema/onnx/limits.ts";
import type { Rest } from "../../schema/onnx/rest.ts";
import type { ByteSource } from "../../schema/onnx/source.ts";

export interface FileRefusal extends ModelRefusal {
  readonly path: string;
}

/** Where chunks are read from. */
export interface ChunkStore {
  getBlob(digest: Sha256): Promise<ReadableStream | null>;
}

/** Of 4 MiB, with weights among the structure: 8 GB. */
const MAX_FETCHES = 2_000;

/** The first refusal; null where every model may be published. `rest`: for where others share the thread. */
export async function inspectVariants(variants: readonly Variant[], blobs: ChunkStore, allowControlFlow: boolean, rest?: Rest): Promise<FileRefusal | null> {
  const judged = new Set<string>();
  const spent: Spent = { fields: 0, rest };
  const counted = boundedStore(blobs);
  for (const { files } of variants) {
    for (const file of files.filter(({ path }) => path.endsWith(".onnx"))) {
      const external = besides(file, files);
      const what = JSON.stringify([file.sha256, file.chunks, [...external]]);
      if (judged.has(what)) continue;
      judged.add(what);
      const inspected = await inspectOnnx(storedSource(file, counted), external, { ...INSPECT_LIMITS, allowControlFlow }, spent);
      if (!inspected.ok) return { ...inspected.refusal, path: file.path };
    }
  }
  return null;
}

/** Throws an `OnnxError` where a model's structure lies in too many chunks. */
export function boundedStore(blobs: ChunkStore): ChunkStore {
  let fetches = 0;
  return {
    getBlob(digest) {
      if (++fetches > MAX_FETCHES) throw new OnnxError("too-many", `structure in more than ${MAX_FETCHES} chunks`);
      return blobs.getBlob(digest);
    },
  };
}

/** What a model may name as its external data: files of its own folder and below, by their path from there. */
function besides(model: ModelFile, files: readonly ModelFile[]): Map<string, number> {
  const folder = model.path.slice(0, model.path.lastIndexOf("/") + 1);
  return new Map(files.filter((file) => file !== model && file.path.startsWith(folder)).map(({ path, size }) => [path.slice(folder.length), size]));
}

/** A file of stored chunks; one of them at a time is in memory. */
export function storedSource({ size, chunks, path }: Pick<ModelFile, "size" | "chunks" | "path">, blobs: ChunkStore): ByteSource {
  const starts: number[] = [];
  chunks.reduce((start, chunk) => (starts.push(start), start + chunk.size), 0);
  let kept: { index: number; bytes: Uint8Array } | null = null;
  const chunkAt = async (index: number): Promise<Uint8Array> => {
    if (kept?.index === index) return kept.bytes;
    kept = null; // before the next comes: never two of them
    const body = await blobs.getBlob((chunks[index] as (typeof chunks)[number]).sha256);
    if (!body) throw new Error(`the store has lost a chunk of ${path}`);
    kept = { index, bytes: new Uint8Array(await new Response(body).arrayBuffer()) };
    return kept.bytes;
  };
  return {
    size,
    read: async (offset, length) => {
      const whole = new Uint8Array(length);
      let index = starts.findLastIndex((start) => start <= offset);
      for (let at = 0; at < length; index++) {
        const bytes = await chunkAt(index);
        const from = offset + at - (starts[index] as number);
        const part = bytes.subarray(from, from + length - at);
        if (part.length === 0) throw new Error(`a chunk of ${path} is not as large as its manifest says`);
        whole.set(part, at);
        at += part.length;
      }
      return whole;
    },
  };
}
