/**
 * Which backends to try, in order, and why. Pure.
 *
 * - "auto": WebGPU where the browser can, then WASM. A named backend is the only one tried.
 * - `barred` holds what failed already, with the reason; the reasons become part of what the user is told.
 */
import type { Backend } from "../../../schema/contract/models.ts";

export interface Probe {
  /** The adapter's name, `null` where there is none; `undefined` where the browser has no WebGPU. */
  readonly adapter: string | null | undefined;
  /** Whether WebAssembly can wait for promises, which the WebGPU build needs. */
  readonly hasJspi: boolean;
  readonly isCrossOriginIsolated: boolean;
  readonly cores: number;
}

export interface Candidate {
  readonly backend: Backend;
  readonly threads: number;
  readonly reason: string;
}

export type Choice = { readonly ok: true; readonly candidate: Candidate } | { readonly ok: false; readonly why: string };

export type Barred = ReadonlyMap<Backend, string>;

/** More threads than this wait for memory and for each other. */
const MAX_THREADS = 4;

export function chooseBackend(wish: "auto" | Backend, probe: Probe, barred: Barred): Choice {
  const noWebgpu = barred.get("webgpu") ?? whyNoWebgpu(probe);
  if (wish !== "wasm" && noWebgpu === null) {
    return { ok: true, candidate: { backend: "webgpu", threads: 1, reason: `WebGPU on ${probe.adapter || "the graphics adapter"}.` } };
  }
  if (wish === "webgpu") return { ok: false, why: noWebgpu ?? "WebGPU can't be used" };
  const noWasm = barred.get("wasm");
  if (noWasm !== undefined) return { ok: false, why: noWebgpu === null || wish === "wasm" ? noWasm : `${noWasm}; ${noWebgpu}` };
  const threads = chooseThreads(probe);
  const why = wish === "wasm" ? "as asked for" : (noWebgpu ?? "");
  return { ok: true, candidate: { backend: "wasm", threads, reason: `WASM with ${threads === 1 ? "one thread" : `${threads} threads`}${limits(probe)}: ${why}.` } };
}

function whyNoWebgpu({ adapter, hasJspi }: Probe): string | null {
  if (adapter === undefined) return "this browser has no WebGPU";
  if (adapter === null) return "there is no graphics adapter that WebGPU can use";
  if (!hasJspi) return "this browser's WebAssembly can't wait for WebGPU (no JSPI)";
  return null;
}

export function chooseThreads({ isCrossOriginIsolated, cores }: Probe): number {
  return isCrossOriginIsolated ? Math.max(1, Math.min(MAX_THREADS, cores)) : 1;
}

const limits = ({ isCrossOriginIsolated }: Probe): string => (isCrossOriginIsolated ? "" : " (the page is not cross-origin isolated)");
