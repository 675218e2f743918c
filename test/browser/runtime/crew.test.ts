/** Threads of a decoder on kernels that don't come to be: the decoder goes on alone, and at once. */
import { afterEach, expect, test, vi } from "vitest";
import { Hired } from "../../../client/runtime/decode/kernel/threads.ts";
import { compileKernels, startKernels } from "../../../client/runtime/kernels/kernels.ts";

const real = Worker;
afterEach(() => {
  vi.useRealTimers();
  globalThis.Worker = real;
});

/** A module that asks for what nobody gives. */
const UNSTARTED = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 2, 7, 1, 1, 120, 1, 121, 0, 0));

async function countOf(hired: Hired, module: WebAssembly.Module): Promise<number> {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const kernels = await startKernels(memory, await compileKernels(true));
  return (await hired.enlist(memory, module, kernels, {} as Parameters<Hired["enlist"]>[3], false)).count;
}

test("a thread whose start fails says so: nobody waits for it", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] }); // as long as they stand, patience doesn't end
  expect(await countOf(Hired.hire(2), UNSTARTED)).toBe(1);
});

test("where the page's policy allows no workers there is one thread", async () => {
  globalThis.Worker = class {
    constructor() {
      throw new DOMException("Refused by the policy.", "SecurityError");
    }
  } as unknown as typeof Worker;
  expect(await countOf(Hired.hire(3), UNSTARTED)).toBe(1);
});
