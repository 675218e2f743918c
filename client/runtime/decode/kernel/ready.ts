/**
 * The kernels, compiled and held to known answers on this device: once in a worker, for all memories of a kind.
 *
 * - Whoever is going to need them asks early, while the model is still on its way. Never rejects.
 */
import { plainly } from "../../backends/engine.ts";
import { checkKernels } from "../../kernels/check-kernels.ts";
import { compileKernels, startKernels } from "../../kernels/kernels.ts";

export type ReadyKernels = { readonly module: WebAssembly.Module; readonly why: null } | { readonly module: null; readonly why: string };

const made = new Map<boolean, Promise<ReadyKernels>>();

export function readyKernels(isShared: boolean): Promise<ReadyKernels> {
  const known = made.get(isShared) ?? checked(isShared);
  made.set(isShared, known);
  return known;
}

async function checked(isShared: boolean): Promise<ReadyKernels> {
  try {
    const module = await compileKernels(isShared);
    const trial = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: isShared });
    const wrong = checkKernels(await startKernels(trial, module), trial);
    return wrong === null ? { module, why: null } : { module: null, why: `the kernel for ${wrong} gives wrong numbers here` };
  } catch (error) {
    return { module: null, why: plainly(error) };
  }
}
