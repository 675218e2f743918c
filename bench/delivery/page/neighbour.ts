/** Two tenants in one page: B reads pictures, A's model of text loads; or plain work takes the cores. */
import { Leasehold } from "../../../client/sdk/leasehold.ts";
import { type NeighbourTask, taskOf } from "./task.ts";

declare global {
  var neighbour: {
    /** Reads until `until` says so: how long each took, in milliseconds. */
    reads(until: "five" | "loaded" | "burnt"): Promise<number[]>;
  };
}

const { baseUrl, runs, loads, picture } = taskOf<NeighbourTask>();
const b = new Leasehold({ publishableKey: runs, baseUrl, backend: "wasm" });
const a = new Leasehold({ publishableKey: loads, baseUrl, backend: "wasm" });
const image = await (await fetch(`data:image/png;base64,${picture}`)).blob();

/** As long as a load takes. */
const BURN_MS = 4000;
const spin = `onmessage = () => { const end = performance.now() + ${BURN_MS}; while (performance.now() < end); postMessage(0); };`;

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

async function read(): Promise<number> {
  const began = performance.now();
  const { blocks } = await b.ocr.read({ model: "ocr", image });
  if (blocks.length === 0) throw new Error("nothing was read");
  return performance.now() - began;
}

async function readsUntil(work: Promise<unknown>): Promise<number[]> {
  const state = { isOver: false };
  const over = work.finally(() => (state.isOver = true));
  const took: number[] = [];
  while (!state.isOver) took.push(await read());
  await over;
  return took;
}

// Both are cached and warm once; A then leaves, to come again.
await a.models.load("text");
await a.models.unload("text");
await read();

globalThis.neighbour = {
  async reads(until) {
    if (until === "burnt") return readsUntil(burn());
    if (until === "loaded") {
      const took = await readsUntil(a.models.load("text"));
      await a.models.unload("text");
      return took;
    }
    const took: number[] = [];
    while (took.length < 5) took.push(await read());
    return took;
  },
};
