/** How chunks lie on the disk, by the manifest's cache mode, and what an update of a model costs and leaves behind. */
import { afterEach, describe, expect, it } from "vitest";
import { userEvent } from "vitest/browser";
import { type FetchProgress, isStored } from "../../../client/cache/fetch-model.ts";
import { type ModelStore, openModelStore } from "../../../client/cache/model-store.ts";
import type { LoadedFile } from "../../../client/runtime/host.ts";
import { importContentKey, sealChunk } from "../../../client/cache/seal.ts";
import type { Sha256 } from "../../../schema/contract/ids.ts";
import type { Chunk } from "../../../schema/contract/models.ts";
import { type Bytes, cachedFile, fetchKept, type MadeModel, makeModel, overwrite, PLAIN, sourceOf, wholeOf } from "./made-model.ts";

const stores: ModelStore[] = [];
let tenants = 0;
const freshTenant = () => `e${Date.now().toString(36)}-${++tenants}`;
async function open(tenant: string): Promise<ModelStore> {
  const store = await openModelStore(tenant);
  stores.push(store);
  return store;
}
afterEach(async () => {
  for (const store of stores.splice(0)) store.close();
  await (await navigator.storage.getDirectory()).removeEntry("leasehold", { recursive: true }).catch(() => undefined);
});

const onDisk = async (tenant: string, sha256: Sha256) => new Uint8Array(await (await (await cachedFile(tenant, sha256)).getFile()).arrayBuffer());
const isOnDisk = (tenant: string, sha256: Sha256) => cachedFile(tenant, sha256).then(() => true, () => false);
const first = <T>(list: readonly T[]): T => list[0] as T;

function contains(bytes: Bytes, part: Bytes): boolean {
  return new TextDecoder("latin1").decode(bytes).includes(new TextDecoder("latin1").decode(part));
}

async function expectWhole(model: MadeModel, files: readonly LoadedFile[]): Promise<void> {
  expect(await Promise.all(files.map(wholeOf))).toEqual(model.variant.files.map(({ sha256 }) => sha256));
}

describe("kept encrypted", () => {
  it("no chunk lies readable on the disk, each is sealed under a nonce of its own, and with the key it is there again", async () => {
    const tenant = freshTenant();
    const model = await makeModel({ "a.onnx": [5000, 5000] });
    await fetchKept({ ...model, store: await open(tenant), fetchChunk: sourceOf(model).fetchChunk });
    const sealed = await Promise.all(model.chunks.map(({ sha256 }) => onDisk(tenant, sha256)));
    sealed.forEach((bytes, at) => {
      const plain = model.bytes.get(model.chunks[at]?.sha256 as Sha256) as Bytes;
      expect(bytes.length).toBe(plain.length + 28);
      expect(contains(bytes, plain.slice(100, 116))).toBe(false);
    });
    expect(first(sealed).slice(0, 12)).not.toEqual(sealed[1]?.slice(0, 12));

    const again = sourceOf(model);
    const fetched = await fetchKept({ ...model, store: await open(tenant), fetchChunk: again.fetchChunk });
    expect(again.asked.size).toBe(0);
    await expectWhole(model, fetched.files);
  });

  it("another key opens nothing: the chunks are fetched anew and kept under it", async () => {
    const tenant = freshTenant();
    const model = await makeModel({ "a.onnx": [5000, 5000] });
    await fetchKept({ ...model, store: await open(tenant), fetchChunk: sourceOf(model).fetchChunk });
    const keeping = { mode: "encrypted", key: await importContentKey("b".repeat(43)) } as const;
    const source = sourceOf(model);
    const fetched = await fetchKept({ ...model, keeping, store: await open(tenant), fetchChunk: source.fetchChunk });
    expect(source.asked.size).toBe(2);
    await expectWhole(model, fetched.files);
    const again = sourceOf(model);
    await fetchKept({ ...model, keeping, store: await open(tenant), fetchChunk: again.fetchChunk });
    expect(again.asked.size).toBe(0);
  });

  it("a chunk that somebody with the key has sealed other bytes as is fetched; who takes its digest itself is told that it is due", async () => {
    const tenant = freshTenant();
    const model = await makeModel({ "a.onnx": [5000, 5000] });
    const { keeping } = model;
    if (keeping.mode !== "encrypted") throw new Error("it is to be sealed");
    const { fetchChunk } = sourceOf(model);
    await fetchKept({ ...model, store: await open(tenant), fetchChunk });
    const [one, two] = model.chunks as [Chunk, Chunk];
    const forged = crypto.getRandomValues(new Uint8Array(one.size));
    const parts = await sealChunk(keeping.key, tenant, one, forged);
    await overwrite(await cachedFile(tenant, one.sha256), new Uint8Array(await new Blob(parts).arrayBuffer()));
    const given = new Map<Sha256, readonly [Bytes, boolean]>();
    await fetchKept({ ...model, store: await open(tenant), fetchChunk, onChunk: (sha256, bytes, isVerified) => given.set(sha256, [bytes, isVerified]) });
    expect(given).toEqual(new Map([[one.sha256, [forged, false]], [two.sha256, [model.bytes.get(two.sha256), false]]]));
    const source = sourceOf(model);
    await expectWhole(model, (await fetchKept({ ...model, store: await open(tenant), fetchChunk: source.fetchChunk })).files);
    expect([...source.asked.keys()]).toEqual([one.sha256]);
  });

  it("a chunk that was put in another's place, or came from another tenant's folder, does not open", async () => {
    const [mine, theirs] = [freshTenant(), freshTenant()];
    const model = await makeModel({ "a.onnx": [5000, 5000] });
    for (const tenant of [mine, theirs]) await fetchKept({ ...model, store: await open(tenant), fetchChunk: sourceOf(model).fetchChunk });
    const [one, two] = model.chunks.map(({ sha256 }) => sha256) as [Sha256, Sha256];
    await overwrite(await cachedFile(mine, one), await onDisk(mine, two));
    await overwrite(await cachedFile(mine, two), await onDisk(theirs, two));
    const source = sourceOf(model);
    await expectWhole(model, (await fetchKept({ ...model, store: await open(mine), fetchChunk: source.fetchChunk })).files);
    expect(source.asked.size).toBe(2);
  });
});

describe("the manifest's mode", () => {
  it("plain: the chunks are files as they came", async () => {
    const tenant = freshTenant();
    const model = await makeModel({ "a.onnx": [5000] });
    await fetchKept({ ...model, keeping: PLAIN, store: await open(tenant), fetchChunk: sourceOf(model).fetchChunk });
    expect(await onDisk(tenant, first(model.chunks).sha256)).toEqual(model.bytes.get(first(model.chunks).sha256));
  });

  it("none: nothing is written, and what was is removed; this page still fetches once", async () => {
    const tenant = freshTenant();
    const model = await makeModel({ "a.onnx": [5000, 6000] });
    const keeping = { mode: "none" } as const;
    const store = await open(tenant);
    await fetchKept({ ...model, keeping: PLAIN, store, fetchChunk: sourceOf(model).fetchChunk });
    const source = sourceOf(model);
    await expectWhole(model, (await fetchKept({ ...model, keeping, store, fetchChunk: source.fetchChunk })).files);
    expect(source.asked.size).toBe(0);
    for (const { sha256 } of model.chunks) expect(await isOnDisk(tenant, sha256)).toBe(false);
    await fetchKept({ ...model, keeping, store, fetchChunk: source.fetchChunk });
    expect(source.asked.size).toBe(0);
    await fetchKept({ ...model, keeping, store: await open(tenant), fetchChunk: source.fetchChunk });
    expect(source.asked.size).toBe(2);
  });

  it("from plain to encrypted: what lay readable is sealed, and nothing is fetched for it", async () => {
    const tenant = freshTenant();
    const model = await makeModel({ "a.onnx": [5000] });
    await fetchKept({ ...model, keeping: PLAIN, store: await open(tenant), fetchChunk: sourceOf(model).fetchChunk });
    const source = sourceOf(model);
    await expectWhole(model, (await fetchKept({ ...model, store: await open(tenant), fetchChunk: source.fetchChunk })).files);
    expect(source.asked.size).toBe(0);
    expect((await onDisk(tenant, first(model.chunks).sha256)).length).toBe(5028);
  });
});

it("the browser is asked not to clear the cache once a person uses the page, and not twice", async () => {
  let asked = 0;
  const storage = { persist: navigator.storage.persist, persisted: navigator.storage.persisted };
  Object.assign(navigator.storage, { persist: async () => ++asked > 0, persisted: async () => false });
  try {
    const store = await open(freshTenant());
    const isActive = navigator.userActivation.hasBeenActive;
    await store.askToStay();
    expect(asked).toBe(isActive ? 1 : 0);
    await userEvent.click(document.body);
    await store.askToStay();
    await store.askToStay();
    expect(asked).toBe(1);
  } finally {
    Object.assign(navigator.storage, storage);
  }
});

describe("an update", () => {
  it("fetches the chunks that changed, says what it saved, and drops what only the old revision needed once it is in force", async () => {
    const tenant = freshTenant();
    const old = await makeModel({ "a.onnx": [8000, 8000, 8000, 8000] }, tenant);
    const fresh = await makeModel({ "new.onnx": [3000] }, tenant);
    const [oldFile, newFile] = [first(old.variant.files), first(fresh.variant.files)];
    const chunks = [...oldFile.chunks.slice(0, 3), ...newFile.chunks];
    const parts = chunks.map(({ sha256 }) => old.bytes.get(sha256) ?? (fresh.bytes.get(sha256) as Bytes));
    const variant = { ...old.variant, files: [{ path: "a.onnx", size: 27_000, sha256: await wholeOf({ parts }), chunks }] };
    const next: MadeModel = { ...old, variant, manifest: { ...old.manifest, variants: [variant] }, chunks, bytes: new Map([...old.bytes, ...fresh.bytes]), size: 27_000 };
    const [oldDigest, newDigest] = ["a".repeat(64), "b".repeat(64)] as [Sha256, Sha256];
    const dropped = old.chunks[3]?.sha256 as Sha256;

    const store = await open(tenant);
    await fetchKept({ ...old, store, fetchChunk: sourceOf(old).fetchChunk });
    await store.keepManifest(oldDigest, JSON.stringify(old.manifest));
    await store.switchTo(old.manifest.model, oldDigest);

    const source = sourceOf(next);
    const seen: FetchProgress[] = [];
    await store.keepManifest(newDigest, JSON.stringify(next.manifest));
    const fetched = await fetchKept({ ...next, store, fetchChunk: source.fetchChunk, onProgress: (progress) => seen.push(progress) });
    await expectWhole(next, fetched.files);
    expect([...source.asked.keys()]).toEqual(newFile.chunks.map(({ sha256 }) => sha256));
    expect(fetched).toMatchObject({ fetchedBytes: 3000, cachedBytes: 24_000, cache: "miss" });
    expect(seen.at(-1)).toMatchObject({ loadedBytes: 27_000, cachedBytes: 24_000 });

    expect(await store.revision(old.manifest.model)).toBe(oldDigest);
    expect(await isStored(old.variant, store)).toBe(true);
    await store.switchTo(old.manifest.model, newDigest);
    expect(await store.revision(old.manifest.model)).toBe(newDigest);
    expect(await isOnDisk(tenant, dropped)).toBe(false);
    expect(await isStored(next.variant, await open(tenant))).toBe(true);
    expect(await (await open(tenant)).manifest(oldDigest)).toBeNull();
  });
});

describe("two tabs", () => {
  it("the one that waits shows what the other fetches", async () => {
    const tenant = freshTenant();
    const model = await makeModel({ "a.onnx": [40_000] });
    const half = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<(bytes: number) => void>();
    const fetching = fetchKept({
      ...model,
      store: await open(tenant),
      fetchChunk: async ({ sha256 }, { onBytes }) => {
        asked.resolve(onBytes);
        await half.promise;
        return model.bytes.get(sha256) as Bytes;
      },
    });
    const arrive = await asked.promise;
    const shown: FetchProgress[] = [];
    const source = sourceOf(model);
    const waiting = fetchKept({ ...model, store: await open(tenant), fetchChunk: source.fetchChunk, onProgress: (progress) => shown.push(progress) });
    const seen = () => {
      arrive(20_000); // again and again, as bytes come: what is told before the other listens is lost
      return shown.at(-1)?.loadedBytes;
    };
    await expect.poll(seen).toBe(20_000);
    half.resolve();
    await Promise.all([fetching, waiting]);
    expect(shown.at(-1)).toMatchObject({ loadedBytes: 40_000, cachedBytes: 0 });
    expect(source.asked.size).toBe(0);
  });
});
