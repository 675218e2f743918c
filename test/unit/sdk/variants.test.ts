import { describe, expect, it } from "vitest";
import { backendFor, chooseVariant, type Device, namedVariant, wasmFeatures } from "../../../client/sdk/variants.ts";
import type { Variant } from "../../../schema/contract/models.ts";
import type { Feature } from "../../../schema/contract/requirements.ts";
import { published } from "./examples.ts";

const GB = 1024 ** 3;
const of = (id: string, requires: Variant["requires"]) => ({ ...(published().variants[0] as Variant), id, requires });
const manifest = {
  ...published(),
  variants: [
    of("f16", { backend: "webgpu", features: ["shader-f16"], buffer_bytes: GB }),
    of("gpu", { backend: "webgpu" }),
    of("relaxed", { backend: "wasm", features: ["wasm-simd", "wasm-relaxed-simd"], memory_bytes: 4 * GB }),
    of("big", { memory_bytes: 4 * GB }),
    of("small", {}),
  ],
};

const gpu = (features: string[], bufferBytes = 2 * GB) => ({ features: new Set(features), bufferBytes });
const wasm = (...features: Feature[]) => new Set<Feature>(features);

describe("of builds, the first that fits the device is taken", () => {
  it.each<[string, string, Device]>([
    ["f16", "a GPU with all it needs", { webgpu: gpu(["shader-f16"]), wasm: wasm(), memoryBytes: 8 * GB }],
    ["gpu", "a GPU without the feature", { webgpu: gpu([]), wasm: wasm(), memoryBytes: 8 * GB }],
    ["gpu", "a GPU with smaller buffers", { webgpu: gpu(["shader-f16"], GB - 1), wasm: wasm(), memoryBytes: 8 * GB }],
    ["relaxed", "no GPU, and a WebAssembly with all it needs", { webgpu: null, wasm: wasm("wasm-simd", "wasm-relaxed-simd"), memoryBytes: null }],
    ["big", "an older WebAssembly", { webgpu: null, wasm: wasm("wasm-simd"), memoryBytes: 8 * GB }],
    ["small", "little memory", { webgpu: null, wasm: wasm("wasm-simd", "wasm-relaxed-simd"), memoryBytes: 2 * GB }],
  ])("%s: %s", (id, _, device) => {
    expect(chooseVariant(manifest, device).id).toBe(id);
  });

  it("and none is variant-unsupported", () => {
    const demanding = { ...manifest, variants: manifest.variants.slice(0, 2) };
    expect(() => chooseVariant(demanding, { webgpu: null, wasm: wasm(), memoryBytes: null })).toThrow(expect.objectContaining({ code: "variant-unsupported" }));
  });
});

it("a build that is named is taken, fit or not, and an unknown name says which there are", () => {
  expect(namedVariant(manifest, "f16").id).toBe("f16");
  expect(() => namedVariant(manifest, "f32")).toThrow(/it has f16, gpu, relaxed, big, small/);
});

it("a build for one backend is run on it, unless another was asked for by name", () => {
  expect(backendFor(of("a", { backend: "wasm" }), "auto")).toBe("wasm");
  expect(backendFor(of("a", {}), "auto")).toBe("auto");
  expect(backendFor(of("a", { backend: "webgpu" }), "wasm")).toBe("wasm");
});

it("finds WebAssembly's features by asking the engine", () => {
  expect([...wasmFeatures()]).toEqual(expect.arrayContaining(["wasm-simd", "wasm-relaxed-simd"]));
});
