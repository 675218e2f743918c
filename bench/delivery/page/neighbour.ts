/**
 * Two tenants in one page, each in a frame of its own as widgets are: B reads pictures here, A's model of text loads in
 * the frame; or plain work takes a core.
 */
import { Leasehold } from "../../../client/sdk/leasehold.ts";
import { type NeighbourTask, taskOf } from "./task.ts";

/** In milliseconds. */
interface Reads {
  readonly each: readonly number[];
  /** What was waited for; null where nothing was. */
  readonly beside: number | null;
}

declare global {
  var neighbour: {
    /** Reads until `until` says so. */
    reads(until: "five" | "loaded" | "burnt"): Promise<Reads>;
    /** Loads A's model while nobody calls: how long that took. */
    load(): Promise<number>;
  };
  /** A's, in its frame: how long a load from the cache took. */
  var loadOnce: () => Promise<number>;
}

/** As long as a load takes. */
const BURN_MS = 4000;
const spin = `onmessage = () => { const end = performance.now() + ${BURN_MS}; while (performance.now() < end); postMessage(0); };`;

const { baseUrl, runs, loads, picture } = taskOf<NeighbourTask>();
if (window === parent) await beTheNeighbour();
else await beTheFrame();

async function beTheFrame(): Promise<void> {
  const a = new Leasehold({ publishableKey: loads, baseUrl, backend: "wasm" });
  const loadOnce = async () => {
    const began = performance.now();
    await a.models.load("text");
    const took = performance.now() - began;
    await a.models.unload("text");
    return took;
  };
  await loadOnce(); // it is cached from now on
  globalThis.loadOnce = loadOnce;
}

async function beTheNeighbour(): Promise<void> {
  const b = new Leasehold({ publishableKey: runs, baseUrl, backend: "wasm" });
  const image = await (await fetch(`data:image/png;base64,${picture}`)).blob();
  const read = async () => {
    const began = performance.now();
    const { blocks } = await b.ocr.read({ model: "ocr", image });
    if (blocks.length === 0) throw new Error("nothing was read");
    return performance.now() - began;
  };
  const readsUntil = async (work: Promise<unknown>): Promise<Reads> => {
    const began = performance.now();
    const state: { beside: number | null } = { beside: null };
    const over = work.finally(() => (state.beside = performance.now() - began));
    const each: number[] = [];
    while (state.beside === null) each.push(await read());
    await over;
    return { each, beside: state.beside };
  };
  const load = await loadInFrame();
  await read();
  globalThis.neighbour = {
    load,
    async reads(until) {
      if (until === "burnt") return readsUntil(burn());
      if (until === "loaded") return readsUntil(load());
      const each: number[] = [];
      while (each.length < 5) each.push(await read());
      return { each, beside: null };
    },
  };
}

/** What loads A's model there, once it is cached. */
async function loadInFrame(): Promise<() => Promise<number>> {
  const frame = document.createElement("iframe");
  frame.src = location.href;
  document.body.append(frame);
  for (;;) {
    const inside = frame.contentWindow as (Window & Partial<Pick<typeof globalThis, "loadOnce">>) | null;
    if (inside?.loadOnce) return inside.loadOnce;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** One core is kept busy, and nothing else. */
function burn(): Promise<void> {
  const worker = new Worker(URL.createObjectURL(new Blob([spin], { type: "text/javascript" })));
  return new Promise((resolve) => {
    worker.onmessage = () => {
      worker.terminate();
      resolve();
    };
    worker.postMessage(0);
  });
}
