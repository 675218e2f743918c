/**
 * Hires threads whose start fails, and tells how many there are in the end. Patience never ends here: what is told, was
 * heard.
 */
import { Hired } from "../../../client/runtime/decode/kernel/threads.ts";
import { compileKernels, startKernels } from "../../../client/runtime/kernels/kernels.ts";

/** A module that asks for what nobody gives. */
const UNSTARTED = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 2, 7, 1, 1, 120, 1, 121, 0, 0));

function refused(): never {
  throw new DOMException("Refused by the policy.", "SecurityError");
}

addEventListener("message", ({ data }: MessageEvent<"fails" | "refused">) => void tell(data));

async function tell(start: "fails" | "refused"): Promise<void> {
  Object.assign(globalThis, { setTimeout: () => 0 });
  if (start === "refused") Object.assign(globalThis, { Worker: refused });
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const kernels = await startKernels(memory, await compileKernels(true));
  const { count } = await Hired.hire(3).enlist(memory, UNSTARTED, kernels, {} as Parameters<Hired["enlist"]>[3], false);
  postMessage(count);
}
