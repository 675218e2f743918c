import { afterEach, describe, expect, it, vi } from "vitest";
import { backendFor, chooseVariant, type Device, namedVariant, pickVariant, wasmFeatures } from "../../../client/sdk/variants.ts";
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

describe("a text model larger than one may be here", () => {
  const sized = (id: string, size: number, requires: Variant["requires"] = {}): Variant => ({ ...of(id, requires), files: [{ ...(published().variants[0] as Variant).files[0], path: "model.onnx", size } as Variant["files"][number]] });
  const text = { ...manifest, task: "text-generation" as const, variants: [sized("whole", 2 * GB), sized("half", GB), sized("quarter", GB / 2)] };
  const here = { webgpu: null, wasm: wasm(), memoryBytes: null };

  it("is passed over for the first that has room on WASM", () => {
    expect(chooseVariant(text, here, 3 * GB).id).toBe("whole");
    expect(chooseVariant(text, here, 1.2 * GB).id).toBe("half");
    expect(chooseVariant(text, here, 0.6 * GB).id).toBe("quarter");
  });

  it("is taken where nothing else fits, on a GPU, and where it is no text model", () => {
    expect(chooseVariant(text, here, 0.1 * GB).id).toBe("whole");
    expect(chooseVariant(text, { ...here, webgpu: gpu([]) }, GB).id).toBe("whole");
    expect(chooseVariant({ ...text, variants: [sized("cpu", 2 * GB, { backend: "wasm" }), sized("gpu", 2 * GB)] }, { ...here, webgpu: gpu([]) }, GB).id).toBe("gpu");
    expect(chooseVariant({ ...text, task: "raw" }, here, GB).id).toBe("whole");
  });

  it("is known before a byte of it is fetched", async () => {
    vi.stubGlobal("navigator", {});
    expect((await pickVariant(text, { backend: "auto", mostBytes: 1.2 * GB })).id).toBe("half");
    vi.unstubAllGlobals();
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

describe("a graphics adapter", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });
  const browser = (hasJspi: boolean, requestAdapter: () => Promise<unknown>) => {
    vi.stubGlobal("WebAssembly", { validate: () => true, ...(hasJspi && { Suspending: () => undefined }) });
    vi.stubGlobal("navigator", { deviceMemory: 8, gpu: { requestAdapter } });
  };
  const adapter = { features: new Set(["shader-f16"]), limits: { maxStorageBufferBindingSize: 2 * GB }, info: { description: "A card", architecture: "", isFallbackAdapter: false } };

  it.each<[string, string, boolean, () => Promise<unknown>]>([
    ["counts", "f16", true, async () => adapter],
    ["counts where WebAssembly has no JSPI, too", "f16", false, async () => adapter],
    ["that is refused is none", "relaxed", true, async () => Promise.reject(new Error("not now"))],
  ])("%s", async (_, id, hasJspi, requestAdapter) => {
    browser(hasJspi, requestAdapter);
    expect((await pickVariant(manifest, { backend: "auto" })).id).toBe(id);
  });

  it("that never answers holds nobody up for ever", async () => {
    vi.useFakeTimers();
    browser(true, () => new Promise(() => undefined));
    const picked = pickVariant(manifest, { backend: "auto" });
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await picked).id).toBe("relaxed");
  });
});
