/**
 * Judges the ONNX files of a revision whose chunks are stored. The structure is read; chunks that hold weights alone are
 * not, and one chunk at a time is in memory.
 */
import type { ModelFile, Variant } from "../../schema/contract/models.ts";
import { type ModelRefusal, inspectOnnx } from "../../schema/onnx/inspect.ts";
import type { ByteSource } from "../../schema/onnx/source.ts";
import type { TenantBlobs } from "../tenants/blobs.ts";

export interface FileRefusal extends ModelRefusal {
  readonly path: string;
}

/** The first refusal; null where every model may be published. */
export async function inspectVariants(variants: readonly Variant[], blobs: TenantBlobs): Promise<FileRefusal | null> {
  const judged = new Set<string>();
  for (const { files } of variants) {
    for (const file of files.filter(({ path }) => path.endsWith(".onnx"))) {
      const external = besides(file, files);
      const what = JSON.stringify([file.sha256, [...external]]);
      if (judged.has(what)) continue;
      judged.add(what);
      const refusal = await inspectOnnx(storedSource(file, blobs), external);
      if (refusal) return { ...refusal, path: file.path };
    }
  }
  return null;
}

/** What a model may name as its external data: files of its own folder and below, by their path from there. */
function besides(model: ModelFile, files: readonly ModelFile[]): Map<string, number> {
  const folder = model.path.slice(0, model.path.lastIndexOf("/") + 1);
  return new Map(files.filter((file) => file !== model && file.path.startsWith(folder)).map(({ path, size }) => [path.slice(folder.length), size]));
}

function storedSource({ size, chunks, path }: ModelFile, blobs: TenantBlobs): ByteSource {
  let kept: { index: number; bytes: Uint8Array } | null = null;
  const chunkAt = async (index: number): Promise<Uint8Array> => {
    if (kept?.index === index) return kept.bytes;
    const body = await blobs.getBlob((chunks[index] as (typeof chunks)[number]).sha256);
    if (!body) throw new Error(`the store has lost a chunk of ${path}`);
    kept = { index, bytes: new Uint8Array(await new Response(body).arrayBuffer()) };
    return kept.bytes;
  };
  return {
    size,
    read: async (offset, length) => {
      const whole = new Uint8Array(length);
      let start = 0;
      for (const [index, chunk] of chunks.entries()) {
        const [from, to] = [Math.max(offset, start), Math.min(offset + length, start + chunk.size)];
        if (from < to) whole.set((await chunkAt(index)).subarray(from - start, to - start), from - offset);
        start += chunk.size;
      }
      return whole;
    },
  };
}
