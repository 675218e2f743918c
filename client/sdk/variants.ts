/**
 * Which build of a model this device takes: the first in the manifest's order whose needs it meets.
 *
 * - A named build is taken as it is named, whether it fits or not: `variant-unsupported` only where there is none.
 * - A text model that is to run on WASM and is larger than one may be here is passed over, where another fits: the runtime
 *   would refuse it, and it would have been fetched for nothing.
 * - An adapter that is emulated on the CPU counts only where WebGPU was asked for by name.
 */
import type { Backend, Manifest, Variant } from "../../schema/contract/models.ts";
import type { Feature } from "../../schema/contract/requirements.ts";
import { LeaseholdError } from "../errors.ts";
import { hasJspi, isSoftwareAdapter, requestAdapter } from "../runtime/backends/probe.ts";
import { hasSharedMemory } from "../runtime/shared-memory.ts";

export interface Device {
  /** Null where there is no WebGPU adapter to be used, or WASM was asked for. */
  readonly webgpu: { readonly features: ReadonlySet<string>; readonly bufferBytes: number } | null;
  /** Of WebAssembly. Null where WebGPU was asked for. */
  readonly wasm: ReadonlySet<Feature> | null;
  /** What the browser admits to; null where it doesn't say. */
  readonly memoryBytes: number | null;
}

export interface VariantWish {
  readonly backend: "auto" | Backend;
  /** By id, whatever the device. */
  readonly variant?: string | undefined;
  /** How much memory one model may take; as much as it likes where it isn't given. */
  readonly mostBytes?: number | undefined;
}

/** Asks for an adapter only where an answer depends on it. */
export async function pickVariant(manifest: Manifest, { backend, variant, mostBytes = Number.POSITIVE_INFINITY }: VariantWish): Promise<Variant> {
  if (variant !== undefined) return namedVariant(manifest, variant);
  const isDemanding = manifest.variants.some((one) => Object.keys(one.requires).length > 0 || isLarge(manifest, one, mostBytes));
  return chooseVariant(manifest, isDemanding ? await probeDevice(backend) : { webgpu: null, wasm: null, memoryBytes: null }, mostBytes);
}

export function namedVariant(manifest: Manifest, id: string): Variant {
  const variant = manifest.variants.find((one) => one.id === id);
  if (!variant) throw new LeaseholdError("variant-unsupported", `${manifest.model} has no build "${id}"; it has ${manifest.variants.map((one) => one.id).join(", ")}.`);
  return variant;
}

export function chooseVariant(manifest: Manifest, device: Device, mostBytes = Number.POSITIVE_INFINITY): Variant {
  const fitting = manifest.variants.filter((one) => fits(one, device));
  const isRefused = (one: Variant) => (device.webgpu === null || one.requires.backend === "wasm") && isLarge(manifest, one, mostBytes);
  const variant = fitting.find((one) => !isRefused(one)) ?? fitting[0];
  if (!variant) throw new LeaseholdError("variant-unsupported", `No build of ${manifest.model} fits this device.`);
  return variant;
}

/** What a build is run on: where it is for one backend, that one. */
export const backendFor = ({ requires }: Variant, wish: "auto" | Backend): "auto" | Backend => (wish === "auto" ? (requires.backend ?? "auto") : wish);

/** What stands beside the weights, and what of them is not kept, is a tenth at most. */
const isLarge = ({ task }: Manifest, { files }: Variant, mostBytes: number): boolean =>
  task === "text-generation" && 0.9 * files.reduce((sum, { size }) => sum + size, 0) > mostBytes;

function fits({ requires: { backend, features = [], memory_bytes, buffer_bytes } }: Variant, { webgpu, wasm, memoryBytes }: Device): boolean {
  if (backend === "webgpu" && !webgpu) return false;
  if (backend === "wasm" && !wasm) return false;
  if (features.some((feature) => !webgpu?.features.has(feature) && !wasm?.has(feature))) return false;
  if (buffer_bytes !== undefined && (webgpu?.bufferBytes ?? 0) < buffer_bytes) return false;
  return memory_bytes === undefined || memoryBytes === null || memory_bytes <= memoryBytes;
}

async function probeDevice(backend: "auto" | Backend): Promise<Device> {
  const adapter = backend === "wasm" ? null : await requestAdapter();
  const isUsable = adapter && (backend === "webgpu" || !isSoftwareAdapter(adapter.info));
  const gigabytes = (navigator as { deviceMemory?: number }).deviceMemory;
  return {
    webgpu: isUsable ? { features: adapter.features, bufferBytes: adapter.limits.maxStorageBufferBindingSize } : null,
    wasm: backend === "webgpu" ? null : wasmFeatures(),
    memoryBytes: gigabytes ? gigabytes * 1024 ** 3 : null,
  };
}

/** Each a module of one function that uses the feature: (func (result v128) …). */
const PROBES = {
  "wasm-simd": [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
  "wasm-relaxed-simd": [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11],
} as const;

export function wasmFeatures(): Set<Feature> {
  const found = new Set<Feature>();
  for (const [feature, module] of Object.entries(PROBES)) if (WebAssembly.validate(new Uint8Array(module))) found.add(feature as Feature);
  if (hasSharedMemory()) found.add("wasm-threads");
  if (hasJspi()) found.add("wasm-jspi");
  return found;
}
