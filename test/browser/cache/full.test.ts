/** A quota that is reached, by the browser's own count: on files, and in the database. */
import { afterEach, expect, it } from "vitest";
import { cdp } from "vitest/browser";
import { sha256Hex } from "../../../client/cache/digest.ts";
import { type FetchedModel, isStored } from "../../../client/cache/fetch-model.ts";
import { type ModelStore, openModelStore } from "../../../client/cache/model-store.ts";
import type { Sha256 } from "../../../schema/contract/ids.ts";
import { fetchKept, type MadeModel, makeModel, sourceOf, wholeOf } from "./made-model.ts";

/** How much this origin may store; as much as the browser says where it isn't given. */
const allow = (bytes?: number) => cdp().send("Storage.overrideQuotaForOrigin", { origin: location.origin, ...(bytes !== undefined && { quotaSize: bytes }) });
let tenants = 0;
const freshTenant = () => `q${Date.now().toString(36)}-${++tenants}`;
const stores: ModelStore[] = [];

/** Signs that can't be packed smaller, as the database would. */
function noise(length: number): string {
  const piece = () => new TextDecoder("latin1").decode(crypto.getRandomValues(new Uint8Array(50_000)));
  return Array.from({ length: length / 50_000 }, piece).join("");
}

async function open(tenant: string, retryMs?: number): Promise<ModelStore> {
  const store = await openModelStore(tenant, retryMs);
  stores.push(store);
  return store;
}

async function expectWhole(model: MadeModel, fetched: FetchedModel): Promise<void> {
  expect(await Promise.all(fetched.files.map(wholeOf))).toEqual(model.variant.files.map(({ sha256 }) => sha256));
}

afterEach(async () => {
  await allow();
  for (const store of stores.splice(0)) store.close();
  await (await navigator.storage.getDirectory()).removeEntry("leasehold", { recursive: true }).catch(() => undefined);
});

it("carries on in memory when the disk is full, and takes what is there to the disk once there is room", async () => {
  const model = await makeModel({ "a.onnx": Array.from({ length: 6 }, () => 1_000_000) });
  const tenant = freshTenant();
  const store = await open(tenant, 0);
  await allow(2_500_000);
  await expectWhole(model, await fetchKept({ ...model, store, fetchChunk: sourceOf(model).fetchChunk }));
  expect(store.place).toMatchObject({ kind: "memory", reason: expect.stringContaining("QuotaExceeded") as string });

  const again = sourceOf(model);
  await expectWhole(model, await fetchKept({ ...model, store, fetchChunk: again.fetchChunk }));
  expect(again.asked.size).toBe(0);

  await allow();
  const isBack = async () => {
    await expectWhole(model, await fetchKept({ ...model, store, fetchChunk: again.fetchChunk }));
    return store.place;
  };
  await expect.poll(isBack).toEqual({ kind: "disk" });
  expect(await isStored(model.variant, await open(tenant))).toBe(true);
  expect(again.asked.size).toBe(0);
});

it("goes on in memory when the database finds the disk full, and on disk again once there is room", async () => {
  const tenant = freshTenant();
  const filling = noise(4_000_000);
  await allow(1_000_000);
  let [text, digest] = ["", "" as Sha256];
  let store: ModelStore | undefined;
  // A database that is open goes by a count of the free room that may be half a minute old: it is closed in between.
  const keepAnother = async () => {
    store?.close();
    store = await open(tenant);
    text += text === "" ? filling : "!"; // what was kept stays kept
    digest = await sha256Hex(new TextEncoder().encode(text));
    await store.keepManifest(digest, text);
    return store.place;
  };
  await expect.poll(keepAnother, { timeout: 40_000, interval: 3000 }).toMatchObject({ kind: "memory", reason: expect.stringContaining("QuotaExceeded") as string });
  expect(await store?.manifest(digest)).toBe(text);
  expect(await (await open(tenant)).manifest(digest)).toBe(null);
  await allow();
  const later = await open(tenant);
  await later.keepManifest(digest, text);
  expect(later.place).toEqual({ kind: "disk" });
  expect(await (await open(tenant)).manifest(digest)).toBe(text);
});
