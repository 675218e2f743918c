/**
 * Which backend to try next, and why. Pure.
 *
 * - "auto": WebGPU where there is a graphics adapter, then WASM. A named backend is the only one tried.
 * - An adapter that is emulated on the CPU is used only where WebGPU is named: SwiftShader takes a hundred times as
 *   long as WASM on the same cores.
 * - `failures` holds what failed already, with the reason; the reasons become part of what the user is told.
 */
import type { Backend } from "../../../schema/contract/models.ts";

export interface Adapter {
  readonly name: string;
  readonly isSoftware: boolean;
}

export interface Probe {
  /** `null` where there is none; `undefined` where the browser has no WebGPU. */
  readonly adapter: Adapter | null | undefined;
  /** Whether WebAssembly can wait for promises by itself; else the build that unwinds its own stack is used. */
  readonly hasJspi: boolean;
  readonly isCrossOriginIsolated: boolean;
  /** Not each browser has it in each isolated page. */
  readonly hasSharedMemory: boolean;
  readonly cores: number;
}

export interface Candidate {
  readonly backend: Backend;
  readonly threads: number;
  /** WebGPU by the build that does without JSPI. */
  readonly withoutJspi: boolean;
  readonly reason: string;
  /** A GPU in name only: everything takes very long. */
  readonly isEmulated: boolean;
}

export type Choice = { readonly ok: true; readonly candidate: Candidate } | { readonly ok: false; readonly why: string };

export type Failures = ReadonlyMap<Backend, string>;

/** More threads than this wait for memory and for each other. */
const USUAL_THREADS = 4;
/** Whatever is asked for. */
export const MOST_THREADS = 16;

/** `asked`: how many threads there are to be on WASM, where that isn't left to the runtime. */
export function chooseBackend(wish: "auto" | Backend, probe: Probe, failures: Failures, asked: number | null = null): Choice {
  const noWebgpu = failures.get("webgpu") ?? whyNoWebgpu(wish, probe);
  if (wish !== "wasm" && noWebgpu === null) {
    const reason = `WebGPU ${probe.hasJspi ? "" : "without JSPI (asyncify) "}on ${probe.adapter?.name || "the graphics adapter"}.`;
    return { ok: true, candidate: { backend: "webgpu", threads: 1, withoutJspi: !probe.hasJspi, reason, isEmulated: probe.adapter?.isSoftware ?? false } };
  }
  if (wish === "webgpu") return { ok: false, why: noWebgpu ?? "WebGPU can't be used" };
  const why = wish === "wasm" ? "as asked for" : (noWebgpu ?? "");
  const noWasm = failures.get("wasm");
  if (noWasm !== undefined) return { ok: false, why: wish === "wasm" ? noWasm : `${noWasm}; ${why}` };
  const threads = chooseThreads(probe, asked);
  const limits = probe.hasSharedMemory ? "" : ` (${probe.isCrossOriginIsolated ? "this browser shares no memory between threads" : "the page is not cross-origin isolated"})`;
  const reason = `WASM with ${threads === 1 ? "one thread" : `${threads} threads`}${limits}: ${why}.`;
  return { ok: true, candidate: { backend: "wasm", threads, withoutJspi: false, reason, isEmulated: false } };
}

function whyNoWebgpu(wish: "auto" | Backend, { adapter }: Probe): string | null {
  if (adapter === undefined) return "this browser has no WebGPU";
  if (adapter === null) return "there is no graphics adapter that WebGPU can use";
  if (adapter.isSoftware && wish === "auto") return `the graphics adapter is emulated on the CPU${adapter.name && ` (${adapter.name})`}, which is slower`;
  return null;
}

export function chooseThreads({ hasSharedMemory, cores }: Probe, asked: number | null): number {
  return hasSharedMemory ? Math.max(1, asked === null ? Math.min(USUAL_THREADS, cores) : Math.min(MOST_THREADS, asked)) : 1;
}
