/** Another tab with another version of the code, and a disk that refuses only one of the two stores. */
import { afterEach, expect, it } from "vitest";
import { type ModelStore, openModelStore } from "../../../client/cache/model-store.ts";
import { fetchKept, makeModel, sourceOf, wholeOf } from "./made-model.ts";

let tenants = 0;
const freshTenant = () => `o${Date.now().toString(36)}-${++tenants}`;
const stores: ModelStore[] = [];
const others: IDBDatabase[] = [];
const realPut = IDBObjectStore.prototype.put;

afterEach(() => {
  IDBObjectStore.prototype.put = realPut;
  for (const store of stores.splice(0)) store.close();
  for (const other of others.splice(0)) other.close();
});

async function open(tenant: string): Promise<ModelStore> {
  const store = await openModelStore(tenant);
  stores.push(store);
  return store;
}

/** What the code of another version holds: `version` may be newer or older than this code's. */
function otherCode(tenant: string, version: number): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(`leasehold/${tenant}`, version);
    request.onupgradeneeded = () => void request.result.createObjectStore(`of-${version}`);
    request.onerror = () => reject(request.error as DOMException);
    request.onsuccess = () => {
      others.push(request.result);
      resolve(request.result);
    };
  });
}

async function expectWorks(store: ModelStore): Promise<void> {
  const model = await makeModel({ "a.onnx": [3000, 4000] });
  const fetched = await fetchKept({ ...model, store, fetchChunk: sourceOf(model).fetchChunk });
  expect(await wholeOf(fetched.files[0])).toBe(model.variant.files[0]?.sha256);
  const again = sourceOf(model);
  expect(await fetchKept({ ...model, store, fetchChunk: again.fetchChunk })).toMatchObject({ cache: "hit" });
}

it("a database of newer code is left alone: this page works in memory", async () => {
  const tenant = freshTenant();
  await otherCode(tenant, 99);
  const store = await open(tenant);
  expect(store.place).toMatchObject({ kind: "memory", reason: expect.stringContaining("VersionError") as string });
  await expectWorks(store);
});

it("newer code in another tab is not held up by this one, which goes on in memory", async () => {
  const tenant = freshTenant();
  const store = await open(tenant);
  expect((await otherCode(tenant, 99)).version).toBe(99);
  await expectWorks(store);
  expect(store.place.kind).toBe("memory");
});

it("a tab that blocks the database keeps this page waiting for seconds, not for ever; what opens late is used then", async () => {
  const tenant = freshTenant();
  (await open(tenant)).close();
  const holder = await otherCode(tenant, 1); // does not give way
  void indexedDB.deleteDatabase(`leasehold/${tenant}`); // waits for the holder, and all that comes later waits for it
  const store = await open(tenant);
  expect(store.place).toMatchObject({ kind: "memory", reason: expect.stringContaining("in time") as string });
  await expectWorks(store);
  holder.close();
  await expect.poll(() => store.place).toEqual({ kind: "disk" });
  await expectWorks(store);
});

it("a database that is full while the files are not: what can't be recorded is kept in memory", async () => {
  const store = await open(freshTenant());
  IDBObjectStore.prototype.put = () => {
    throw new DOMException("The disk is full.", "QuotaExceededError");
  };
  await expectWorks(store);
  expect(store.place).toMatchObject({ kind: "memory", reason: expect.stringContaining("QuotaExceeded") as string });
});
