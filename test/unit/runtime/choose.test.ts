import { describe, expect, test } from "vitest";
import { chooseBackend, chooseThreads, type Choice, type Failures, type Probe } from "../../../client/runtime/backends/choose.ts";

const GPU = { name: "nvidia ampere", isSoftware: false };
const SWIFTSHADER = { name: "google swiftshader", isSoftware: true };
const PROBE: Probe = { adapter: GPU, hasJspi: true, isCrossOriginIsolated: true, hasSharedMemory: true, cores: 2 };
const none: Failures = new Map();

const brief = (choice: Choice) => (choice.ok ? `${choice.candidate.backend}${choice.candidate.withoutJspi ? " without JSPI" : ""}, ${choice.candidate.threads}: ${choice.candidate.reason}` : choice.why);

describe("the backend", () => {
  test.each<[string, "auto" | "webgpu" | "wasm", Partial<Probe>, string]>([
    ["a graphics adapter is used", "auto", {}, "webgpu, 1: WebGPU on nvidia ampere."],
    ["an adapter without a name", "auto", { adapter: { name: "", isSoftware: false } }, "webgpu, 1: WebGPU on the graphics adapter."],
    ["no WebGPU", "auto", { adapter: undefined }, "wasm, 2: WASM with 2 threads: this browser has no WebGPU."],
    ["no adapter", "auto", { adapter: null }, "wasm, 2: WASM with 2 threads: there is no graphics adapter that WebGPU can use."],
    ["no JSPI", "auto", { hasJspi: false }, "webgpu without JSPI, 1: WebGPU without JSPI (asyncify) on nvidia ampere."],
    ["no JSPI and an emulated adapter", "auto", { hasJspi: false, adapter: SWIFTSHADER }, "wasm, 2: WASM with 2 threads: the graphics adapter is emulated on the CPU (google swiftshader), which is slower."],
    ["an emulated adapter", "auto", { adapter: SWIFTSHADER }, "wasm, 2: WASM with 2 threads: the graphics adapter is emulated on the CPU (google swiftshader), which is slower."],
    ["an emulated adapter without a name, as Firefox gives it", "auto", { adapter: { name: "", isSoftware: true } }, "wasm, 2: WASM with 2 threads: the graphics adapter is emulated on the CPU, which is slower."],
    ["an emulated adapter by name", "webgpu", { adapter: SWIFTSHADER }, "webgpu, 1: WebGPU on google swiftshader."],
    ["WASM by name", "wasm", {}, "wasm, 2: WASM with 2 threads: as asked for."],
    ["no isolation", "wasm", { isCrossOriginIsolated: false, hasSharedMemory: false }, "wasm, 1: WASM with one thread (the page is not cross-origin isolated): as asked for."],
    ["isolation without shared memory", "wasm", { hasSharedMemory: false }, "wasm, 1: WASM with one thread (this browser shares no memory between threads): as asked for."],
    ["WebGPU by name, without an adapter", "webgpu", { adapter: null }, "there is no graphics adapter that WebGPU can use"],
  ])("%s", (_, wish, probe, expected) => {
    expect(brief(chooseBackend(wish, { ...PROBE, ...probe }, none))).toBe(expected);
  });

  test("is known to be slow where it is emulated", () => {
    expect(chooseBackend("webgpu", { ...PROBE, adapter: SWIFTSHADER }, none)).toMatchObject({ candidate: { isEmulated: true } });
    expect(chooseBackend("webgpu", PROBE, none)).toMatchObject({ candidate: { isEmulated: false } });
  });

  test("that failed is not chosen again, and its failure is told", () => {
    const first: Failures = new Map([["webgpu", "WebGPU failed its self-test"]]);
    expect(brief(chooseBackend("auto", PROBE, first))).toBe("wasm, 2: WASM with 2 threads: WebGPU failed its self-test.");
    const both: Failures = new Map([...first, ["wasm", "WebAssembly could not be started"]]);
    expect(brief(chooseBackend("auto", PROBE, both))).toBe("WebAssembly could not be started; WebGPU failed its self-test");
  });
});

test.each([
  [1, true, null, 1],
  [2, true, null, 2],
  [16, true, null, 4],
  [16, false, null, 1],
  [0, true, null, 1],
  [2, true, 3, 3],
  [8, true, 8, 8],
  [8, true, 100, 16],
  [8, false, 8, 1],
])("%i cores, shared memory %s, asked for %s: %i threads", (cores, hasSharedMemory, asked, threads) => {
  expect(chooseThreads({ ...PROBE, cores, hasSharedMemory }, asked)).toBe(threads);
});
