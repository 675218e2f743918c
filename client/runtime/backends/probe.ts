/** Looks at what this browser has. Never throws: what can't be asked is not there. */
import { hasSharedMemory } from "../shared-memory.ts";
import type { Adapter, Probe } from "./choose.ts";

/** A GPU process in trouble may never answer. */
const ADAPTER_TIMEOUT_MS = 10_000;

export async function probeBrowser(wantsWebgpu: boolean): Promise<Probe> {
  return {
    adapter: wantsWebgpu ? await findAdapter() : undefined,
    hasJspi: hasJspi(),
    isCrossOriginIsolated: globalThis.crossOriginIsolated,
    hasSharedMemory: hasSharedMemory(),
    cores: navigator.hardwareConcurrency || 1,
  };
}

/** How software renderers name themselves; older browsers don't say `isFallbackAdapter`. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|basic render|\bwarp\b/i;

export function isSoftwareAdapter({ description, architecture, isFallbackAdapter }: { readonly description: string; readonly architecture: string; readonly isFallbackAdapter: boolean }): boolean {
  return isFallbackAdapter || SOFTWARE.test(`${description} ${architecture}`);
}

async function findAdapter(): Promise<Adapter | null | undefined> {
  const adapter = await requestAdapter();
  if (!adapter) return adapter;
  const { vendor, architecture, description } = adapter.info;
  const name = description || [vendor, architecture].filter(Boolean).join(" ");
  return { name, isSoftware: isSoftwareAdapter(adapter.info) };
}

/** `null` where there is none, or none that answers in time; `undefined` where the browser has no WebGPU. */
export async function requestAdapter(): Promise<GPUAdapter | null | undefined> {
  const { gpu } = navigator;
  if (!gpu) return undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ADAPTER_TIMEOUT_MS, null);
  });
  try {
    return await Promise.race([gpu.requestAdapter(), timeout]);
  } catch {
    return null; // some browsers reject where they mean "none"
  } finally {
    clearTimeout(timer);
  }
}

/** Whether WebAssembly can wait for promises by itself. */
export const hasJspi = (): boolean => "Suspending" in WebAssembly;
