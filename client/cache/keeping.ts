/**
 * How one model's chunks are kept in this browser. Pure.
 *
 * - "encrypted" is what a manifest means that says nothing.
 * - What a replaced revision alone needed is dropped; what another revision in force shares with it stays.
 * - On a full disk what was used longest ago goes first; what a page may need without a network goes last of all.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { CacheMode, Chunk, Manifest, Variant } from "../../schema/contract/models.ts";

/** `key`: the tenant's content key. */
export type Keeping = { readonly mode: "encrypted"; readonly key: CryptoKey } | { readonly mode: "plain" } | { readonly mode: "none" };

export const cacheModeOf = ({ cache }: Manifest): CacheMode => cache ?? "encrypted";

/** Each chunk once, small files first: what stands beside a model can be read while its weights are on their way. */
export function chunksOf(variant: Variant): Chunk[] {
  const files = [...variant.files].sort((a, b) => a.size - b.size);
  return [...new Map(files.flatMap((file) => file.chunks).map((chunk) => [chunk.sha256, chunk])).values()];
}

export function chunksToDrop(replaced: readonly Manifest[], inForce: readonly Manifest[]): Sha256[] {
  const needed = new Set(inForce.flatMap(digestsOf));
  return [...new Set(replaced.flatMap(digestsOf))].filter((sha256) => !needed.has(sha256));
}

/** `byUse`: what was used longest ago first. `offline`: the revisions that offline leases are for. */
export function inOrderOfGoing<C extends Pick<Chunk, "sha256">>(byUse: readonly C[], offline: readonly Manifest[]): C[] {
  const last = new Set(offline.flatMap(digestsOf));
  return [...byUse.filter(({ sha256 }) => !last.has(sha256)), ...byUse.filter(({ sha256 }) => last.has(sha256))];
}

const digestsOf = ({ variants }: Manifest): Sha256[] => variants.flatMap(chunksOf).map(({ sha256 }) => sha256);
