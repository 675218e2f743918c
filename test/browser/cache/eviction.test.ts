/** A disk that is nearly full: what was used longest ago goes. A file of its own, because the browser's count of what an origin takes lags behind. */
import { afterAll, expect, it } from "vitest";
import { cdp } from "vitest/browser";
import { sha256Hex } from "../../../client/cache/digest.ts";
import { isStored } from "../../../client/cache/fetch-model.ts";
import { openModelStore } from "../../../client/cache/model-store.ts";
import { fetchKept, makeModel, sourceOf } from "./made-model.ts";

const { origin } = location;
const CHUNKS = Array.from({ length: 8 }, () => 1_000_000);

afterAll(async () => {
  await cdp().send("Storage.overrideQuotaForOrigin", { origin });
  await (await navigator.storage.getDirectory()).removeEntry("leasehold", { recursive: true });
});

it("a model that finds the disk full takes the place of the chunks used longest ago", async () => {
  const tenant = `full-${Date.now().toString(36)}`;
  const [old, used, fresh] = [await makeModel({ "old.onnx": CHUNKS }), await makeModel({ "used.onnx": CHUNKS }), await makeModel({ "new.onnx": CHUNKS })];
  const { usage = 0 } = await navigator.storage.estimate();
  const before = await openModelStore(tenant);
  for (const model of [old, used]) await fetchKept({ ...model, store: before, fetchChunk: sourceOf(model).fetchChunk });
  before.close();

  await cdp().send("Storage.overrideQuotaForOrigin", { origin, quotaSize: usage + 20_000_000 });
  const store = await openModelStore(tenant);
  await fetchKept({ ...used, store, fetchChunk: sourceOf(used).fetchChunk });
  await fetchKept({ ...fresh, store, fetchChunk: sourceOf(fresh).fetchChunk });
  expect(store.place).toEqual({ kind: "disk" });
  expect(await isStored(fresh.variant, store)).toBe(true);
  expect(await isStored(used.variant, store)).toBe(true);
  expect(await isStored(old.variant, store)).toBe(false);

  // All that is left was used by this page, and gives way all the same; not what it is fetching just now.
  const [next, big] = [await makeModel({ "next.onnx": CHUNKS }), await makeModel({ "big.onnx": [...CHUNKS, ...CHUNKS] })];
  await fetchKept({ ...next, store, fetchChunk: sourceOf(next).fetchChunk });
  expect(await isStored(used.variant, store)).toBe(false);
  expect(await isStored(fresh.variant, store)).toBe(true);
  await fetchKept({ ...big, store, fetchChunk: sourceOf(big).fetchChunk });
  expect(store.place).toEqual({ kind: "disk" });
  expect(await isStored(big.variant, store)).toBe(true);
  store.close();

  // What an offline lease is for goes last, though it was used longest ago.
  const [leased, other, last] = [await makeModel({ "leased.onnx": CHUNKS }), await makeModel({ "other.onnx": CHUNKS }), await makeModel({ "last.onnx": CHUNKS })];
  const text = JSON.stringify(leased.manifest);
  const digest = await sha256Hex(new TextEncoder().encode(text));
  const later = await openModelStore(tenant, undefined, async () => [digest]);
  await later.keepManifest(digest, text);
  for (const model of [leased, other, last]) await fetchKept({ ...model, store: later, fetchChunk: sourceOf(model).fetchChunk });
  expect(later.place).toEqual({ kind: "disk" });
  expect(await Promise.all([leased, other, last].map(({ variant }) => isStored(variant, later)))).toEqual([true, false, true]);
  later.close();
});
