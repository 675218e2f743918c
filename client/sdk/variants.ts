/** Which build of a model this device takes: the first in the manifest's order whose needs it meets. */
import type { Backend, Manifest, Variant } from "../../schema/contract/models.ts";
import { LeaseholdError } from "../errors.ts";

export interface Device {
  /** Null where there is no WebGPU adapter, or WASM was asked for. */
  readonly webgpuFeatures: ReadonlySet<string> | null;
  /** What the browser admits to; null where it doesn't say. */
  readonly memoryBytes: number | null;
}

/** Asks for an adapter only where an answer depends on it. */
export async function pickVariant(manifest: Manifest, backend: "auto" | Backend): Promise<Variant> {
  const isDemanding = manifest.variants.some(({ requires }) => Object.keys(requires).length > 0);
  return chooseVariant(manifest, isDemanding ? await probeDevice(backend) : { webgpuFeatures: null, memoryBytes: null });
}

async function probeDevice(backend: "auto" | Backend): Promise<Device> {
  const gpu = backend === "wasm" ? undefined : (navigator as { gpu?: { requestAdapter(): Promise<{ features: ReadonlySet<string> } | null> } }).gpu;
  const adapter = await gpu?.requestAdapter();
  const gigabytes = (navigator as { deviceMemory?: number }).deviceMemory;
  return { webgpuFeatures: adapter ? adapter.features : null, memoryBytes: gigabytes ? gigabytes * 1024 ** 3 : null };
}

export function chooseVariant(manifest: Manifest, device: Device): Variant {
  const variant = manifest.variants.find(({ requires }) => {
    if (requires.backend === "webgpu" && !device.webgpuFeatures) return false;
    if (requires.features?.some((feature) => !device.webgpuFeatures?.has(feature))) return false;
    return requires.memory_bytes === undefined || device.memoryBytes === null || requires.memory_bytes <= device.memoryBytes;
  });
  if (!variant) throw new LeaseholdError("variant-unsupported", `No build of ${manifest.model} fits this device.`);
  return variant;
}
