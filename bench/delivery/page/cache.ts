/** A model of random bytes, kept in both ways; `openCached` opens, verifies and reads all of it. */
import { sha256Hex } from "../../../client/cache/digest.ts";
import { fetchModel } from "../../../client/cache/fetch-model.ts";
import type { Keeping } from "../../../client/cache/keeping.ts";
import { openModelStore } from "../../../client/cache/model-store.ts";
import { importContentKey } from "../../../client/cache/seal.ts";
import type { Sha256 } from "../../../schema/contract/ids.ts";
import type { Manifest } from "../../../schema/contract/models.ts";

declare global {
  var cacheReady: Promise<void> | undefined;
  var openCached: (mode: "encrypted" | "plain") => Promise<number>;
}

const CHUNKS = 25;
const CHUNK_BYTES = 4_000_000;
const RANDOM_AT_ONCE = 62_500;

const bytes = new Map<Sha256, Uint8Array<ArrayBuffer>>();
let keepings: Record<"encrypted" | "plain", Keeping>;

globalThis.cacheReady = (async () => {
  for (let at = 0; at < CHUNKS; at++) {
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (let from = 0; from < chunk.length; from += RANDOM_AT_ONCE) crypto.getRandomValues(chunk.subarray(from, from + RANDOM_AT_ONCE));
    bytes.set(await sha256Hex(chunk), chunk);
  }
  keepings = { encrypted: { mode: "encrypted", key: await importContentKey("k".repeat(43)) }, plain: { mode: "plain" } };
  for (const mode of ["encrypted", "plain"] as const) await (await open(mode)).end();
  for (const [sha256] of bytes) bytes.set(sha256, new Uint8Array());
})();

globalThis.openCached = async (mode) => {
  const began = performance.now();
  const { end } = await open(mode);
  const took = performance.now() - began;
  await end();
  return took;
};

async function open(mode: "encrypted" | "plain") {
  const store = await openModelStore(`cache-${mode}`);
  const chunks = [...bytes.keys()].map((sha256) => ({ sha256, size: CHUNK_BYTES }));
  const variant = { id: "all", requires: {}, files: [{ path: "model.onnx", size: CHUNKS * CHUNK_BYTES, sha256: "" as Sha256, chunks }] };
  const { files, kept } = await fetchModel({ manifest: { model: "made" } as Manifest, variant, store, keeping: keepings[mode], fetchChunk: async ({ sha256 }) => (bytes.get(sha256) ?? new Uint8Array()).slice() });
  if (files.some(({ parts }) => parts.length !== CHUNKS)) throw new Error("a chunk is missing");
  const end = async () => {
    await kept;
    store.close();
  };
  return { end };
}
