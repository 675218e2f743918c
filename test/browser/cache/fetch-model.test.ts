/** The model cache on the real OPFS, IndexedDB and Web Locks of a Chromium. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { ChunkFiles } from "../../../client/cache/chunk-files.ts";
import { type FetchedModel, isStored } from "../../../client/cache/fetch-model.ts";
import { type ModelStore, openModelStore } from "../../../client/cache/model-store.ts";
import { ChunkLink } from "../../../client/cache/chunk-link.ts";
import { LeaseholdError } from "../../../client/errors.ts";
import type { Sha256 } from "../../../schema/contract/ids.ts";
import type { Chunk } from "../../../schema/contract/models.ts";
import { cachedFile, fetchKept, flipBit, type MadeModel, makeModel, overwrite, sourceOf, wholeOf } from "./made-model.ts";

const SHAPE = { "det.onnx": [40_000, 40_000, 12_345], "rec.onnx": [40_000, 40_000, 40_000, 7], "keys.txt": [900] };

const stores: ModelStore[] = [];
let tenants = 0;

async function open(tenant: string, retryMs?: number): Promise<ModelStore> {
  const store = await openModelStore(tenant, retryMs);
  stores.push(store);
  return store;
}

/** A tenant that no other test uses, so that each starts with an empty cache. */
const freshTenant = () => `t${Date.now().toString(36)}-${++tenants}`;

afterEach(async () => {
  for (const store of stores.splice(0)) store.close();
  await (await navigator.storage.getDirectory()).removeEntry("leasehold", { recursive: true }).catch(() => undefined);
});

async function expectWhole(model: MadeModel, fetched: FetchedModel): Promise<void> {
  expect(fetched.files.map((file) => file.path)).toEqual(model.variant.files.map((file) => file.path));
  expect(await Promise.all(fetched.files.map((file) => wholeOf(file)))).toEqual(model.variant.files.map((file) => file.sha256));
}

const codeOf = (work: Promise<unknown>) => work.then(() => "no error", (error: unknown) => (error instanceof LeaseholdError ? error.code : error));

describe("a first visit", () => {
  it("fetches every chunk once, four at a time at most, and hands over the files whole", async () => {
    const model = await makeModel(SHAPE);
    const source = sourceOf(model);
    const store = await open(freshTenant());

    const fetched = await fetchKept({ ...model, store, fetchChunk: source.fetchChunk });

    await expectWhole(model, fetched);
    expect(fetched).toMatchObject({ fetchedBytes: model.size, cachedBytes: 0, cache: "miss" });
    expect([...source.asked.values()]).toEqual(model.chunks.map(() => 1));
    expect(source.peak).toBe(4);
    expect(store.place).toEqual({ kind: "disk" });
  });

  it("reports bytes that never pass the total and end at it", async () => {
    const model = await makeModel(SHAPE);
    const seen: number[] = [];
    await fetchKept({
      ...model,
      store: await open(freshTenant()),
      fetchChunk: sourceOf(model).fetchChunk,
      onProgress: ({ loadedBytes, totalBytes }) => {
        expect(totalBytes).toBe(model.size);
        seen.push(loadedBytes);
      },
    });
    expect(seen[0]).toBe(0);
    expect(Math.max(...seen)).toBe(model.size);
    expect(seen.at(-1)).toBe(model.size);
  });

  it("fetches a chunk that two files share once", async () => {
    const model = await makeModel({ "a.onnx": [5000] });
    const [file] = model.variant.files;
    const variant = { ...model.variant, files: [file, { ...file, path: "b.onnx" }] as typeof model.variant.files };
    const source = sourceOf(model);
    const fetched = await fetchKept({ ...model, variant, store: await open(freshTenant()), fetchChunk: source.fetchChunk });
    expect([...source.asked.values()]).toEqual([1]);
    expect(await Promise.all(fetched.files.map((f) => wholeOf(f)))).toEqual([file?.sha256, file?.sha256]);
  });
});

it("a tab waits for one that is still fetching, however slowly, and not for one that hangs", async () => {
  const tenant = freshTenant();
  const [fetching, waiting] = [await open(tenant), await open(tenant)];
  const [chunk] = (await makeModel({ "a.onnx": [4000] })).chunks;
  const { sha256 } = chunk as NonNullable<typeof chunk>;
  const [{ signal }, hanging, held] = [new AbortController(), Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const first = fetching.exclusively(sha256, signal, () => (held.resolve(), hanging.promise));
    await held.promise;
    let [isIn, heard] = [false, 0];
    const second = waiting.exclusively(sha256, signal, async () => {
      isIn = true;
    });
    waiting.progress.listen(() => heard++);
    for (const bytes of [1, 2, 3]) {
      await vi.advanceTimersByTimeAsync(50_000);
      fetching.progress.tell({ sha256, bytes, isWhole: true });
      await expect.poll(() => heard).toBe(bytes);
      expect(isIn).toBe(false);
    }
    await vi.advanceTimersByTimeAsync(61_000);
    await second;
    expect(isIn).toBe(true);
    hanging.resolve();
    await first;
  } finally {
    vi.useRealTimers();
  }
});

describe("a second visit", () => {
  it("fetches nothing", async () => {
    const tenant = freshTenant();
    const model = await makeModel(SHAPE);
    await fetchKept({ ...model, store: await open(tenant), fetchChunk: sourceOf(model).fetchChunk });

    const source = sourceOf(model);
    const store = await open(tenant);
    expect(await isStored(model.variant, store)).toBe(true);
    const fetched = await fetchKept({ ...model, store, fetchChunk: source.fetchChunk });

    await expectWhole(model, fetched);
    expect(source.asked.size).toBe(0);
    expect(fetched).toMatchObject({ fetchedBytes: 0, cachedBytes: model.size, cache: "hit" });
  });

  it("finds nothing of another tenant's", async () => {
    const model = await makeModel(SHAPE);
    await fetchKept({ ...model, store: await open(freshTenant()), fetchChunk: sourceOf(model).fetchChunk });

    const source = sourceOf(model);
    const other = await open(freshTenant());
    expect(await isStored(model.variant, other)).toBe(false);
    await fetchKept({ ...model, store: other, fetchChunk: source.fetchChunk });
    expect(source.asked.size).toBe(model.chunks.length);
  });

  it("remembers the manifest and which revision is in force", async () => {
    const tenant = freshTenant();
    const { manifest, chunks } = await makeModel(SHAPE);
    const digest = chunks[0]?.sha256 as (typeof chunks)[number]["sha256"];
    const first = await open(tenant);
    await first.keepManifest(digest, JSON.stringify(manifest));
    expect(await first.revision(manifest.model)).toBeNull();
    await first.switchTo(manifest.model, digest);

    const store = await open(tenant);
    expect(await store.revision(manifest.model)).toBe(digest);
    expect(await store.manifest(digest)).toBe(JSON.stringify(manifest));
    expect(await (await open(freshTenant())).revision(manifest.model)).toBeNull();
  });
});

describe("bytes that are not what the manifest says", () => {
  it("drops a flipped bit in the cache and fetches that chunk alone", async () => {
    const tenant = freshTenant();
    const model = await makeModel(SHAPE);
    await fetchKept({ ...model, store: await open(tenant), fetchChunk: sourceOf(model).fetchChunk });
    const [spoilt] = model.chunks;
    if (!spoilt) throw new Error("no chunk");
    const handle = await cachedFile(tenant, spoilt.sha256);
    await overwrite(handle, flipBit(new Uint8Array(await (await handle.getFile()).arrayBuffer())));

    const source = sourceOf(model);
    const fetched = await fetchKept({ ...model, store: await open(tenant), fetchChunk: source.fetchChunk });

    await expectWhole(model, fetched);
    expect([...source.asked]).toEqual([[spoilt.sha256, 1]]);
    expect(fetched).toMatchObject({ fetchedBytes: spoilt.size, cache: "miss" });
  });

  it("does not take a cached file of another length for the chunk", async () => {
    const tenant = freshTenant();
    const model = await makeModel(SHAPE);
    await fetchKept({ ...model, store: await open(tenant), fetchChunk: sourceOf(model).fetchChunk });
    const last = model.chunks.at(-1);
    if (!last) throw new Error("no chunk");
    await overwrite(await cachedFile(tenant, last.sha256), new Uint8Array(3));

    const store = await open(tenant);
    expect(await isStored(model.variant, store)).toBe(false);
    const source = sourceOf(model);
    await expectWhole(model, await fetchKept({ ...model, store, fetchChunk: source.fetchChunk }));
    expect([...source.asked.keys()]).toEqual([last.sha256]);
  });

  it.each([
    ["a flipped bit", flipBit],
    ["a truncated body", (bytes: Uint8Array<ArrayBuffer>) => bytes.slice(0, -1)],
    ["a body that is too long", (bytes: Uint8Array<ArrayBuffer>) => new Uint8Array([...bytes, 0])],
    ["an empty body", () => new Uint8Array(0)],
  ])("fetches once more after %s", async (_, damage) => {
    const model = await makeModel({ "a.onnx": [9000, 9000] });
    const source = sourceOf(model, (bytes, attempt) => (attempt === 1 ? damage(bytes) : bytes));
    await expectWhole(model, await fetchKept({ ...model, store: await open(freshTenant()), fetchChunk: source.fetchChunk }));
    expect([...source.asked.values()]).toEqual([2, 2]);
  });

  it("gives up with weights-corrupt after the second damaged copy, keeps none of it, and works at the next call", async () => {
    const model = await makeModel({ "a.onnx": [9000] });
    const store = await open(freshTenant());
    const bad = sourceOf(model, (bytes) => flipBit(bytes));
    expect(await codeOf(fetchKept({ ...model, store, fetchChunk: bad.fetchChunk }))).toBe("weights-corrupt");
    expect([...bad.asked.values()]).toEqual([2]);
    expect(await isStored(model.variant, store)).toBe(false);
    await expectWhole(model, await fetchKept({ ...model, store, fetchChunk: sourceOf(model).fetchChunk }));
  });
});

describe("a download that is stopped", () => {
  it("ends with aborted, and the next call fetches only what is missing", async () => {
    const model = await makeModel({ "a.onnx": Array.from({ length: 12 }, () => 4000) });
    const store = await open(freshTenant());
    const stopping = new AbortController();
    const first = sourceOf(model);
    const call = fetchKept({
      ...model,
      store,
      fetchChunk: first.fetchChunk,
      signal: stopping.signal,
      onProgress: ({ loadedBytes }) => loadedBytes >= 24_000 && stopping.abort(),
    });
    expect(await codeOf(call)).toBe("aborted");
    expect(first.asked.size).toBeLessThan(model.chunks.length);

    const second = sourceOf(model);
    const fetched = await fetchKept({ ...model, store, fetchChunk: second.fetchChunk });
    await expectWhole(model, fetched);
    expect(fetched.cachedBytes).toBeGreaterThan(0);
    expect(second.asked.size).toBe(fetched.fetchedBytes / 4000);
  });

  it("asks for nothing where it was stopped before it began", async () => {
    const model = await makeModel(SHAPE);
    const source = sourceOf(model);
    const call = fetchKept({ ...model, store: await open(freshTenant()), fetchChunk: source.fetchChunk, signal: AbortSignal.abort() });
    expect(await codeOf(call)).toBe("aborted");
    expect(source.asked.size).toBe(0);
  });

  it("passes the source's error on and stops the other chunks", async () => {
    const model = await makeModel({ "a.onnx": Array.from({ length: 12 }, () => 4000) });
    const source = sourceOf(model, (bytes, _, chunk) => {
      if (chunk === model.chunks[1]) throw new LeaseholdError("network-failed", "gone");
      return bytes;
    });
    expect(await codeOf(fetchKept({ ...model, store: await open(freshTenant()), fetchChunk: source.fetchChunk }))).toBe("network-failed");
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(source.asked.size).toBeLessThan(model.chunks.length);
  });
});

describe("two tabs", () => {
  it("download each chunk once between them", async () => {
    const tenant = freshTenant();
    const model = await makeModel(SHAPE);
    const [here, there] = [sourceOf(model), sourceOf(model)];
    const [one, two] = await Promise.all([
      fetchKept({ ...model, store: await open(tenant), fetchChunk: here.fetchChunk }),
      fetchKept({ ...model, store: await open(tenant), fetchChunk: there.fetchChunk }),
    ]);
    await expectWhole(model, one);
    await expectWhole(model, two);
    expect(one.fetchedBytes + two.fetchedBytes).toBe(model.size);
    for (const { sha256 } of model.chunks) expect((here.asked.get(sha256) ?? 0) + (there.asked.get(sha256) ?? 0)).toBe(1);
  });

  it("don't wait for a tab that was stopped", async () => {
    const tenant = freshTenant();
    const model = await makeModel({ "a.onnx": [4000] });
    const stopping = new AbortController();
    const hanging = fetchKept({
      ...model,
      store: await open(tenant),
      signal: stopping.signal,
      fetchChunk: (_, { signal }) => new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
    });
    const waiting = fetchKept({ ...model, store: await open(tenant), fetchChunk: sourceOf(model).fetchChunk });
    await new Promise((resolve) => setTimeout(resolve, 50));
    stopping.abort();
    expect(await codeOf(hanging)).toBe("aborted");
    await expectWhole(model, await waiting);
  });
});

describe("storage that is refused", () => {
  it("works without any disk, as in a private window that refuses it", async () => {
    const model = await makeModel(SHAPE);
    const granted = navigator.storage.getDirectory;
    navigator.storage.getDirectory = () => Promise.reject(new DOMException("Storage is refused here.", "SecurityError"));
    try {
      const store = await open(freshTenant());
      expect(store.place).toMatchObject({ kind: "memory" });
      await expectWhole(model, await fetchKept({ ...model, store, fetchChunk: sourceOf(model).fetchChunk }));
      const again = sourceOf(model);
      expect(await fetchKept({ ...model, store, fetchChunk: again.fetchChunk })).toMatchObject({ cache: "hit" });
    } finally {
      navigator.storage.getDirectory = granted;
    }
  });

  it("takes a cache that was cleared under its feet for an empty one, and fills it again once it is opened anew", async () => {
    const model = await makeModel(SHAPE);
    const tenant = freshTenant();
    const store = await open(tenant, 0);
    await fetchKept({ ...model, store, fetchChunk: sourceOf(model).fetchChunk });
    await (await navigator.storage.getDirectory()).removeEntry("leasehold", { recursive: true });

    const source = sourceOf(model);
    await expectWhole(model, await fetchKept({ ...model, store, fetchChunk: source.fetchChunk }));
    expect(source.asked.size).toBe(model.chunks.length);
    const isBack = async () => {
      await fetchKept({ ...model, store, fetchChunk: source.fetchChunk });
      return isStored(model.variant, await open(tenant));
    };
    await expect.poll(isBack).toBe(true);
    expect(store.place).toEqual({ kind: "disk" });
    expect([...source.asked.values()]).toEqual(model.chunks.map(() => 1));
  });
});

it("a page that was closed in the middle of a write leaves no chunk, and nothing in the way of who writes it", async () => {
  const tenant = freshTenant();
  const model = await makeModel({ "a.onnx": [40_000, 9000] });
  const [cut] = model.chunks as [Chunk];
  await ChunkFiles.open(tenant);
  const code = `
    onmessage = async ({ data: { path, bytes } }) => {
      let folder = await navigator.storage.getDirectory();
      for (const name of path.slice(0, -1)) folder = await folder.getDirectoryHandle(name);
      const open = await (await folder.getFileHandle(path.at(-1), { create: true })).createSyncAccessHandle();
      open.write(bytes.subarray(0, bytes.length / 2), { at: 0 });
      postMessage("half of it is written");
    };`;
  const writer = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const isHalf = new Promise((resolve) => writer.addEventListener("message", resolve, { once: true }));
  writer.postMessage({ path: ["leasehold", tenant, "chunks", cut.sha256], bytes: model.bytes.get(cut.sha256) });
  await isHalf;
  writer.terminate();

  expect(await (await open(tenant)).hasChunk(cut)).toBe(false);
  const isKept = async () => {
    await expectWhole(model, await fetchKept({ ...model, store: await open(tenant), fetchChunk: sourceOf(model).fetchChunk }));
    return isStored(model.variant, await open(tenant));
  };
  await expect.poll(isKept).toBe(true); // the browser lets go of the file when it has ended the worker
});

describe("a chunk that another tab drops between two steps of this one", () => {
  const { getFile, createWritable } = FileSystemFileHandle.prototype;
  afterEach(() => Object.assign(FileSystemFileHandle.prototype, { getFile, createWritable }));

  /** The file is gone when the handle to it is used, the first time. */
  const goneOnce = (step: "getFile" | "createWritable", tenant: string) => {
    const real = { getFile, createWritable };
    Reflect.set(FileSystemFileHandle.prototype, step, async function (this: FileSystemFileHandle) {
      Reflect.set(FileSystemFileHandle.prototype, step, real[step]);
      let folder = await navigator.storage.getDirectory();
      for (const name of ["leasehold", tenant, "chunks"]) folder = await folder.getDirectoryHandle(name);
      await folder.removeEntry(this.name);
      return this[step]();
    });
  };

  it("is one that is not here, and no failure of the disk", async () => {
    const tenant = freshTenant();
    const [model, store] = [await makeModel({ "a.onnx": [5000] }), await open(tenant)];
    await fetchKept({ ...model, store, fetchChunk: sourceOf(model).fetchChunk });
    goneOnce("getFile", tenant);
    expect([await isStored(model.variant, store), store.place]).toEqual([false, { kind: "disk" }]);
  });

  it("is not here for who reads it either, and is written whole for who writes it", async () => {
    const tenant = freshTenant();
    const files = await ChunkFiles.open(tenant);
    const digest = "a".repeat(64) as Sha256;
    const content = new TextEncoder().encode("a chunk");
    goneOnce("createWritable", tenant);
    await files.write(digest, [content]);
    expect(await files.read(digest, content.length)).toEqual(content);
    goneOnce("getFile", tenant);
    expect(await files.read(digest, content.length)).toBeNull();
  });
});

describe("a file that can't be opened at once", () => {
  afterEach(() => Reflect.deleteProperty(FileSystemFileHandle.prototype, "createSyncAccessHandle"));

  /** Pages have no such function: what WebKit's does in a worker. */
  const refusing = (by: (file: FileSystemFileHandle) => string) =>
    Reflect.set(FileSystemFileHandle.prototype, "createSyncAccessHandle", function (this: FileSystemFileHandle) {
      this.createWritable = () => Promise.reject(new DOMException("The object is in an invalid state.", "InvalidStateError"));
      return Promise.reject(new DOMException("Refused.", by(this)));
    });
  const digest = "b".repeat(64) as Sha256;
  const content = new TextEncoder().encode("a chunk");

  it("is read the slow way where another tab has it, and left to it for writing", async () => {
    const tenant = freshTenant();
    await (await ChunkFiles.open(tenant)).write(digest, [content]);
    refusing(() => "InvalidStateError");
    const files = await ChunkFiles.open(tenant);
    expect(await files.read(digest, content.length)).toEqual(content);
    await files.write(digest, [content.slice(1)]);
    expect(await files.read(digest, content.length)).toEqual(content);
  });

  it("is written and read the slow way where the browser has the function alone, which locks what it refuses, by each worker that comes", async () => {
    const tenant = freshTenant();
    const refused = new Set<string>();
    refusing(({ name }) => (refused.size === refused.add(name).size ? "InvalidStateError" : "NotSupportedError"));
    for (const one of ["b", "c"]) {
      const files = await ChunkFiles.open(tenant);
      const name = one.repeat(64) as Sha256;
      await files.write(name, [content]);
      expect(await files.names()).toContain(name);
      expect(await files.read(name, content.length)).toEqual(content);
    }
    expect(await (await ChunkFiles.open(tenant)).names()).toHaveLength(2);
  });
});

describe("the worker that works on chunks", () => {
  const real = Worker;
  afterEach(() => {
    globalThis.Worker = real;
  });

  const expectUnharmed = async () => {
    const tenant = freshTenant();
    const model = await makeModel(SHAPE);
    await expectWhole(model, await fetchKept({ ...model, store: await open(tenant), fetchChunk: sourceOf(model).fetchChunk }));
    await expectWhole(model, await fetchKept({ ...model, store: await open(tenant), fetchChunk: sourceOf(model).fetchChunk }));
    globalThis.Worker = real;
    const again = sourceOf(model);
    expect(await fetchKept({ ...model, store: await open(tenant), fetchChunk: again.fetchChunk })).toMatchObject({ cachedBytes: model.size, cache: "hit" });
  };

  it("is done without where the page's policy forbids it", async () => {
    globalThis.Worker = class extends EventTarget {
      constructor() {
        super();
        throw new DOMException("Refused by the policy.", "SecurityError");
      }
    } as unknown as typeof Worker;
    await expectUnharmed();
  });

  it("is done without once it has died with work in its hands", async () => {
    globalThis.Worker = class extends real {
      #left = 4;
      override postMessage(message: unknown, given: Transferable[] | StructuredSerializeOptions = []): void {
        super.postMessage(message, Array.isArray(given) ? { transfer: given } : given);
        if (--this.#left > 0) return;
        this.terminate();
        this.dispatchEvent(new ErrorEvent("error", { message: "out of memory" }));
      }
    } as typeof Worker;
    await expectUnharmed();
  });

  it("is replaced by another where it hangs, and by the page where that hangs too", async () => {
    const workers: { isDeaf: boolean }[] = [];
    globalThis.Worker = class extends real {
      isDeaf: boolean = workers.push(this) !== 2;
      override postMessage(message: { readonly kind: string }, given: Transferable[] | StructuredSerializeOptions = []): void {
        if (!this.isDeaf || message.kind === "begin") super.postMessage(message, Array.isArray(given) ? { transfer: given } : given);
      }
    } as typeof Worker;
    const tenant = freshTenant();
    const model = await makeModel({ "a.onnx": [4000] });
    const [chunk] = model.chunks as [Chunk];
    const bytes = () => (model.bytes.get(chunk.sha256) as Uint8Array<ArrayBuffer>).slice();
    const link = new ChunkLink(await ChunkFiles.open(tenant), tenant, 2000);
    const plain = { kind: "plain" } as const;
    expect(await link.check(chunk, bytes(), plain)).toBe("lost");
    await expect.poll(async () => (await link.write(chunk.sha256, [bytes()])).error).toBeNull();
    expect(workers.length).toBeGreaterThan(1);
    expect(await link.open(chunk, plain, false)).toEqual({ bytes: bytes(), isVerified: true });
    (workers[1] as { isDeaf: boolean }).isDeaf = true;
    expect(await link.open(chunk, plain, true)).toEqual({ bytes: bytes(), isVerified: true });
    expect(await link.check(chunk, bytes(), plain)).toMatchObject({ bytes: bytes() });
    expect(workers).toHaveLength(2);
    link.close();
  });

  it("costs a chunk no more than being fetched again where it hangs with that in its hands, and the next one too", async () => {
    globalThis.Worker = class extends real {
      override postMessage(): void {
        // hears nothing
      }
    } as typeof Worker;
    const model = await makeModel({ "a.onnx": [4000] });
    const [source, store] = [sourceOf(model), await open(freshTenant())];
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      let isThere = false;
      const fetching = fetchKept({ ...model, store, fetchChunk: source.fetchChunk }).finally(() => (isThere = true));
      await expect.poll(async () => (await vi.advanceTimersByTimeAsync(31_000), isThere)).toBe(true);
      await expectWhole(model, await fetching);
    } finally {
      vi.useRealTimers();
    }
    expect([...source.asked.values()]).toEqual([3]);
  });

  it("opens the folder itself: in some browsers a page can neither hand it on nor write", async () => {
    globalThis.Worker = class extends real {
      override postMessage(message: object, given: Transferable[] | StructuredSerializeOptions = []): void {
        if (Object.values(message).some((value) => value instanceof FileSystemHandle)) throw new DOMException("The object can not be cloned.", "DataCloneError");
        super.postMessage(message, Array.isArray(given) ? { transfer: given } : given);
      }
    } as typeof Worker;
    const { createWritable } = FileSystemFileHandle.prototype;
    Reflect.deleteProperty(FileSystemFileHandle.prototype, "createWritable");
    try {
      const tenant = freshTenant();
      const model = await makeModel(SHAPE);
      const store = await open(tenant);
      await expectWhole(model, await fetchKept({ ...model, store, fetchChunk: sourceOf(model).fetchChunk }));
      expect(store.place).toEqual({ kind: "disk" });
      const again = sourceOf(model);
      expect(await fetchKept({ ...model, store: await open(tenant), fetchChunk: again.fetchChunk })).toMatchObject({ cachedBytes: model.size, cache: "hit" });
    } finally {
      FileSystemFileHandle.prototype.createWritable = createWritable;
    }
  });

  it("reads what another tab has in its hands", async () => {
    const tenant = freshTenant();
    const model = await makeModel({ "a.onnx": [4000] });
    await fetchKept({ ...model, store: await open(tenant), fetchChunk: sourceOf(model).fetchChunk });
    const held = await (await cachedFile(tenant, model.chunks[0]?.sha256 as Sha256)).createWritable();
    try {
      const source = sourceOf(model);
      await expectWhole(model, await fetchKept({ ...model, store: await open(tenant), fetchChunk: source.fetchChunk }));
      expect(source.asked.size).toBe(0);
    } finally {
      await held.abort();
    }
  });
});

it("refuses a tenant that could name another's folder", async () => {
  for (const name of ["", "..", "a/b", "A", "-a"]) await expect(openModelStore(name)).rejects.toThrow(RangeError);
});
