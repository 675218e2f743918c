/** How a runtime starts, is stopped, breaks and comes back: real workers, real model. */
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { sha256Hex } from "../../../client/cache/digest.ts";
import { LeaseholdError } from "../../../client/errors.ts";
import { loadRuntime, type LoadOptions, type Runtime, type StoredFile } from "../../../client/runtime/host.ts";
import type { GivePart } from "../../../client/runtime/protocol.ts";
import type { Sha256 } from "../../../schema/contract/ids.ts";
import { draw, ocrFiles, readingText, receipt } from "./ocr-fixture.ts";

let files: StoredFile[];
let small: Blob;
const open: Runtime[] = [];

beforeAll(async () => {
  files = await ocrFiles();
  small = await draw([{ text: "Paid by card", x: 30, y: 50 }], { width: 300, height: 80, font: "32px Receipt" });
});

afterEach(() => {
  for (const runtime of open.splice(0)) runtime.close();
});

async function load(options: Partial<LoadOptions> = {}): Promise<Runtime> {
  const runtime = await loadRuntime({ task: "ocr", files, backend: "wasm", ...options });
  open.push(runtime);
  return runtime;
}

const failure = (work: Promise<unknown>): Promise<LeaseholdError> =>
  work.then(
    () => {
      throw new Error("it worked");
    },
    (error: unknown) => {
      if (error instanceof LeaseholdError) return error;
      throw error;
    },
  );

const expectWorks = async (runtime: Runtime) => expect(readingText((await runtime.readOcr(small)).blocks)).toBe("Paid by card");

describe("loading", () => {
  test("tells its stages, its backend and why", async () => {
    // A browser that is still starting may say that it has none: it is asked once before.
    await navigator.gpu?.requestAdapter();
    const adapter = await navigator.gpu?.requestAdapter();
    const stages: string[] = [];
    const runtime = await load({ backend: "auto", onProgress: ({ stage }) => stages.push(stage) });
    expect(stages[0]).toBe("compile");
    expect(new Set(stages)).toEqual(new Set(["compile", "session", "warmup"]));
    expect(runtime).toMatchObject({ backend: "wasm", threads: Math.min(4, navigator.hardwareConcurrency) });
    expect(runtime.reason).toMatch(adapter ? /^WASM with .*emulated on the CPU/ : /^WASM with .*no graphics adapter/);
    await expectWorks(runtime);
  });

  test.each<[string, (files: readonly StoredFile[]) => StoredFile[], RegExp]>([
    ["no dictionary", (files) => files.filter(({ path }) => path !== "keys.txt"), /keys\.txt is missing/],
    ["an empty network", (files) => replaced(files, "det.onnx", new Blob([])), /det\.onnx is empty/],
    ["networks in each other's place", (files) => replaced(replaced(files, "det.onnx", blobOf(files, "rec.onnx")), "rec.onnx", blobOf(files, "det.onnx")), /det\.onnx/],
    ["a dictionary of another model", (files) => replaced(files, "keys.txt", new Blob(["a\nb\nc\n"])), /keys\.txt has 3 characters, and rec\.onnx knows 6623/],
  ])("%s is model-invalid and names the file", async (_, broken, message) => {
    const error = await failure(load({ files: broken(files) }));
    expect(error.code).toBe("model-invalid");
    expect(error.message).toMatch(message);
  });

  test("a network cut short is refused before any engine gets it", async () => {
    const error = await failure(load({ files: replaced(files, "rec.onnx", blobOf(files, "rec.onnx").slice(0, 100_000)) }));
    expect([error.code, error.message]).toEqual(["model-unreadable", expect.stringContaining("rec.onnx")]);
  });

  test("a task that no client runs is model-invalid", async () => {
    expect((await failure(load({ task: "raw" }))).code).toBe("model-invalid");
  });

  test("without the engine's files no backend is available", async () => {
    const error = await failure(load({ backend: "auto", ortBase: `${location.origin}/no/such/folder/` }));
    expect(error.code).toBe("backend-unavailable");
  });

  /** The files in parts that come when they are given. */
  const onTheirWay = async () => {
    const all = await Promise.all(files.map(async ({ path, blob }) => ({ path, bytes: new Uint8Array(await blob.arrayBuffer()) })));
    return { all, files: all.map(({ path, bytes }, part) => ({ path, arriving: [{ part, size: bytes.length }] })) };
  };

  test("begins with files whose parts are still on their way, and reads with them", async () => {
    const { all, files: arriving } = await onTheirWay();
    const deliver = async (give: GivePart) => {
      for (const [part, { bytes }] of [...all.entries()].toReversed()) {
        await new Promise((resolve) => setTimeout(resolve));
        give(part, bytes, part === 0 ? await sha256Hex(bytes) : null);
      }
    };
    await expectWorks(await load({ files: async () => ({ files: arriving, deliver }) }));
  });

  test("asks for the files again where a part misses the SHA-256 that was due", async () => {
    let asked = 0;
    const given = async () => {
      if (++asked > 1) return files;
      const { all, files: arriving } = await onTheirWay();
      return { files: arriving, deliver: async (give: GivePart) => all.forEach(({ bytes }, part) => give(part, bytes, "0".repeat(64) as Sha256)) };
    };
    await expectWorks(await load({ files: given }));
    expect(asked).toBe(2);
  });

  test("fails as the delivery of its files does, and can be aborted while they are on their way", async () => {
    const { files: arriving } = await onTheirWay();
    const corrupt = async () => {
      throw new LeaseholdError("weights-corrupt", "They arrived damaged twice.");
    };
    expect((await failure(load({ files: async () => ({ files: arriving, deliver: corrupt }) }))).code).toBe("weights-corrupt");
    const stop = new AbortController();
    const never = () => {
      stop.abort();
      return new Promise<void>(() => undefined);
    };
    expect((await failure(load({ files: async () => ({ files: arriving, deliver: never }), signal: stop.signal }))).code).toBe("aborted");
  });

  test("can be aborted, before and on the way", async () => {
    expect((await failure(load({ signal: AbortSignal.abort() }))).code).toBe("aborted");
    for (const wanted of ["compile", "session", "warmup"]) {
      const stop = new AbortController();
      const loading = load({ signal: stop.signal, onProgress: ({ stage }) => stage === wanted && stop.abort() });
      expect((await failure(loading)).code).toBe("aborted");
    }
  });
});

describe("a call", () => {
  test("can be aborted at any moment, and the next one works", async () => {
    const runtime = await load();
    const image = await receipt();
    expect((await failure(runtime.readOcr(image, { signal: AbortSignal.abort() }))).code).toBe("aborted");
    const begun = performance.now();
    await runtime.readOcr(image);
    const wholeMs = performance.now() - begun;
    for (const share of [0, 0.05, 0.25, 0.5]) {
      const stop = new AbortController();
      const reading = runtime.readOcr(image, { signal: stop.signal });
      setTimeout(() => stop.abort(), share * wholeMs);
      expect((await failure(reading)).code).toBe("aborted");
    }
    await expectWorks(runtime);
  });

  test("waits for the one before; aborted while it waits, it leaves at once", async () => {
    const runtime = await load();
    const done: string[] = [];
    const first = runtime.readOcr(await receipt()).then(() => done.push("first"));
    const stop = new AbortController();
    const second = failure(runtime.readOcr(small, { signal: stop.signal })).then(() => done.push("aborted"));
    const third = runtime.readOcr(small).then(() => done.push("third"));
    stop.abort();
    await Promise.all([first, second, third]);
    expect(done).toEqual(["aborted", "first", "third"]);
  });

  test("in a worker that is silent for too long fails, and the next one works", async () => {
    const runtime = await load({ patience: { run: { silenceMs: 400, abortMs: 400 } } });
    const error = await failure(runtime.readOcr(await receipt({ width: 1500, height: 1000 })));
    expect(error.code).toBe("runtime-crashed");
    expect(error.message).toMatch(/did not answer/);
    // With so little patience a busy machine may lose the next worker too; each is replaced.
    await vi.waitFor(() => expectWorks(runtime), { timeout: 45_000 });
  });

  test("whose worker dies fails, and the next one works", async () => {
    const workers = watchWorkers();
    const runtime = await load();
    workers.received.length = 0;
    const reading = failure(runtime.readOcr(await receipt()));
    await vi.waitFor(() => expect(workers.received).toContain("alive"));
    workers.crash();
    workers.restore();
    expect((await reading).code).toBe("runtime-crashed");
    await expectWorks(runtime);
  });

  test("after close fails, as does the one in flight", async () => {
    const runtime = await load();
    const reading = failure(runtime.readOcr(await receipt()));
    runtime.close();
    expect((await reading).code).toBe("aborted");
    expect((await failure(runtime.readOcr(small))).code).toBe("aborted");
  });
});

function blobOf(files: readonly StoredFile[], path: string): Blob {
  const file = files.find((file) => file.path === path);
  if (!file) throw new Error(`no ${path}`);
  return file.blob;
}

const replaced = (files: readonly StoredFile[], path: string, blob: Blob): StoredFile[] => files.map((file) => (file.path === path ? { path, blob } : file));

/** Sees the workers that are made from here on, and can make them fail as a browser reports it. */
function watchWorkers() {
  const { Worker: RealWorker } = globalThis;
  const made: Worker[] = [];
  const received: string[] = [];
  class WatchedWorker extends RealWorker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      made.push(this);
      this.addEventListener("message", ({ data }: MessageEvent<{ kind: string }>) => received.push(data.kind));
    }
  }
  globalThis.Worker = WatchedWorker;
  return {
    received,
    crash: () => made.at(-1)?.dispatchEvent(new ErrorEvent("error", { message: "out of memory", cancelable: true })),
    restore: () => {
      globalThis.Worker = RealWorker;
    },
  };
}
