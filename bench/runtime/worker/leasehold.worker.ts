/**
 * The product's runtime worker, whole, on threads whose runs are timed: what is not in them is the overhead.
 *
 * - A run is all that the kernels' threads do for one piece or one token, sending them off and waiting for them
 *   included. Outside is all else: sampler, tokenizer, sequence, looking for messages, handing pieces to the page.
 */
import { Hired } from "../../../client/runtime/decode/kernel/threads.ts";
import "../../../client/runtime/worker.ts";
import { ASK, type RunsOf, type TimedRun } from "./leasehold-protocol.ts";

const channel = new BroadcastChannel(self.name);
let runs: TimedRun[] = [];
let threads = 0;
let memory: WebAssembly.Memory | null = null;

channel.onmessage = ({ data }) => {
  if (data !== ASK) return;
  const told: RunsOf = { threads, memoryBytes: memory?.buffer.byteLength ?? 0, runs };
  channel.postMessage(told);
  runs = [];
};

const { enlist } = Hired.prototype;
Hired.prototype.enlist = async function timedThreads(...given) {
  const hired = await enlist.apply(this, given);
  [memory] = given;
  threads = hired.count;
  return {
    ...hired,
    get best() {
      return hired.best;
    },
    run(run, isSteady) {
      const began = performance.now();
      hired.run(run, isSteady);
      runs.push({ rows: run.rows, began, ms: performance.now() - began });
    },
  };
};
