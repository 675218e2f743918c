/** The same with transformers.js, in a worker, as its own guide has it. */
import { type PeerTask, taskOf, type Told } from "./task.ts";

const worker = new Worker(new URL("./peer.worker.ts", import.meta.url), { type: "module" });
globalThis.visited = new Promise<Told>((resolve, reject) => {
  let firstMs = 0;
  worker.onmessage = ({ data: { text, error } }: MessageEvent<{ text?: string; error?: string }>) => {
    if (error !== undefined) reject(new Error(error));
    else if (text === undefined) firstMs ||= performance.now();
    else resolve({ firstMs, text, stages: {} });
  };
  worker.onerror = ({ message }) => reject(new Error(message));
  worker.postMessage({ ...taskOf<PeerTask>(), origin: location.origin });
});
