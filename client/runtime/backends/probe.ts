/** Looks at what this browser has. Never throws: what can't be asked is not there. */
import type { Adapter, Probe } from "./choose.ts";

/** A GPU process in trouble may never answer. */
const ADAPTER_TIMEOUT_MS = 10_000;

export async function probeBrowser(wantsWebgpu: boolean): Promise<Probe> {
  return {
    adapter: wantsWebgpu ? await findAdapter() : undefined,
    hasJspi: "Suspending" in WebAssembly,
    isCrossOriginIsolated: globalThis.crossOriginIsolated,
    cores: navigator.hardwareConcurrency || 1,
  };
}

/** How software renderers name themselves; older browsers don't say `isFallbackAdapter`. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|basic render|\bwarp\b/i;

export function isSoftwareAdapter({ description, architecture, isFallbackAdapter }: { readonly description: string; readonly architecture: string; readonly isFallbackAdapter: boolean }): boolean {
  return isFallbackAdapter || SOFTWARE.test(`${description} ${architecture}`);
}

async function findAdapter(): Promise<Adapter | null | undefined> {
  const { gpu } = navigator;
  if (!gpu) return undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ADAPTER_TIMEOUT_MS, null);
  });
  try {
    const adapter = await Promise.race([gpu.requestAdapter(), timeout]);
    if (!adapter) return null;
    const { vendor, architecture, description } = adapter.info;
    const name = description || [vendor, architecture].filter(Boolean).join(" ");
    return { name, isSoftware: isSoftwareAdapter(adapter.info) };
  } catch {
    return null; // some browsers reject where they mean "none"
  } finally {
    clearTimeout(timer);
  }
}
