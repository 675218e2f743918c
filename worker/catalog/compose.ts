/**
 * A file of a base with some of its bytes changed, cut so that every chunk of the base that stays whole is the base's.
 * Pure.
 *
 * - Of a chunk that is changed in part, what stays is an edge: bytes of the base that the tenant has to have itself.
 * - Changes lie within the file and don't overlap; else there is no such file.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Chunk, ModelFile } from "../../schema/contract/models.ts";

/** From `offset` on, these chunks take the place of as many bytes. */
export interface Change {
  readonly offset: number;
  readonly size: number;
  readonly chunks: readonly Chunk[];
}

/** A part of a chunk of the base. */
export interface Edge {
  readonly of: Sha256;
  readonly offset: number;
  readonly size: number;
}

export type Part = { readonly kind: "chunk"; readonly chunk: Chunk } | { readonly kind: "edge"; readonly edge: Edge };

export function compose({ size, chunks }: Pick<ModelFile, "size" | "chunks">, changes: readonly Change[]): Part[] | null {
  const parts: Part[] = [];
  let index = 0;
  let start = 0; // of the chunk at `index`
  const keep = (from: number, to: number) => {
    for (let at = from; at < to; ) {
      const chunk = chunks[index] as Chunk;
      const end = start + chunk.size;
      if (end > at) {
        const until = Math.min(end, to);
        parts.push(at === start && until === end ? { kind: "chunk", chunk } : { kind: "edge", edge: { of: chunk.sha256, offset: at - start, size: until - at } });
        at = until;
      }
      if (end <= to) [index, start] = [index + 1, end];
    }
  };
  let at = 0;
  for (const change of [...changes].sort((a, b) => a.offset - b.offset)) {
    if (change.offset < at || change.offset + change.size > size) return null;
    keep(at, change.offset);
    parts.push(...change.chunks.map((chunk): Part => ({ kind: "chunk", chunk })));
    at = change.offset + change.size;
  }
  keep(at, size);
  return parts;
}
