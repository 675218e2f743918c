/** A model's own self-test, on each backend: what misses it is not used, and whoever asks is told why. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Sha256 } from "../../../schema/contract/ids.ts";
import type { SelfTest } from "../../../schema/contract/self-test.ts";
import { loadRuntime, type LoadOptions, type Runtime } from "../../../client/runtime/host.ts";
import { classifierModel, embeddingModel, noNumbersModel, wavesModel } from "../../support/small-models.ts";
import { filesOf } from "./model-blobs.ts";

const SLOW = 120_000;
const open: Runtime[] = [];
afterEach(() => {
  for (const runtime of open.splice(0)) runtime.close();
  vi.restoreAllMocks();
});

async function load(options: LoadOptions): Promise<Runtime> {
  const runtime = await loadRuntime(options);
  open.push(runtime);
  return runtime;
}

const failure = (options: LoadOptions): Promise<{ code: string; message: string }> =>
  load(options).then(
    () => ({ code: "none", message: "it was loaded" }),
    (error: { code: string; message: string }) => error,
  );

const classifier = { task: "text-classification", files: filesOf(classifierModel()), backend: "wasm" } as const;
const tokens = (...values: number[]) => ({ type: "int64" as const, dims: [1, values.length], values });
/** [CLS] good [SEP] */
const good: SelfTest = { kind: "tensors", inputs: { input_ids: tokens(2, 8, 3), attention_mask: tokens(1, 1, 1) }, outputs: { logits: { dims: [1, 2], first: [0, 4], tolerance: 0.001 } } };

describe("by tensors", () => {
  test("a model that answers as stated is loaded; on WebGPU too", { timeout: SLOW }, async () => {
    expect((await load({ ...classifier, selfTest: good })).backend).toBe("wasm");
    const onGpu = await load({ ...classifier, backend: "webgpu", selfTest: good });
    expect(onGpu.backend).toBe("webgpu");
    expect((await onGpu.run("text-classification", { texts: ["bad"] })).labels[0]?.[0]?.label).toBe("NEGATIVE");
  });

  test.each<[string, SelfTest, RegExp]>([
    ["another value", { ...good, outputs: { logits: { dims: [1, 2], first: [0, 4.1], tolerance: 0.001 } } }, /logits begins with other values .*4 in place of 4\.1/],
    ["another shape", { ...good, outputs: { logits: { dims: [2], first: [0, 4], tolerance: 0.001 } } }, /logits has the shape 1 × 2, not 2/],
    ["other bytes", { ...good, outputs: { logits: { dims: [1, 2], sha256: "0".repeat(64) as Sha256 } } }, /logits has other bytes/],
  ])("%s than stated is backend-unavailable, and says so", async (_, selfTest, message) => {
    expect(await failure({ ...classifier, selfTest })).toMatchObject({ code: "backend-unavailable", message: expect.stringMatching(message) });
  });

  test("a self-test of tensors that the model doesn't have is the model's fault", async () => {
    const selfTest: SelfTest = { ...good, outputs: { nothing: { dims: [1], first: [0], tolerance: 1 } } };
    expect((await failure({ ...classifier, selfTest })).code).toBe("model-invalid");
  });
});

describe("by embedding", () => {
  const embedder = { task: "embeddings", files: filesOf(embeddingModel()), backend: "wasm" } as const;
  const third = 1 / Math.sqrt(3);
  test("the vector of a text begins as stated, on WebGPU too, or the model is not used", { timeout: SLOW }, async () => {
    const selfTest: SelfTest = { kind: "embedding", input: "good", first_dims: [0, 0, third, third], tolerance: 0.001 };
    expect((await load({ ...embedder, selfTest })).backend).toBe("wasm");
    expect((await load({ ...embedder, backend: "webgpu", selfTest })).backend).toBe("webgpu");
    expect(await failure({ ...embedder, selfTest: { ...selfTest, first_dims: [0.1] } })).toMatchObject({ code: "backend-unavailable", message: expect.stringContaining("at place 1, not 0.1") });
  });
});

describe("auto", () => {
  /** Emulated adapters are passed over by name; this one says that it is none. */
  beforeEach(() => {
    vi.spyOn(GPUAdapter.prototype, "info", "get").mockReturnValue({ description: "a real GPU" } as GPUAdapterInfo);
  });

  test("a backend whose numbers are not the stated ones gives way to the next, which says why", { timeout: SLOW }, async () => {
    const x = Array.from({ length: 48 }, (_, at) => at * 3.7 - 80);
    const waves = { task: "raw", files: filesOf(wavesModel()) } as const;
    const exact = await load({ ...waves, backend: "wasm" });
    const { outputs } = await exact.run("raw", { inputs: { x: { type: "float32", dims: [48], data: Float32Array.from(x) } } });
    const first = [...((outputs["waves"]?.data ?? []) as Float32Array)];
    const selfTest: SelfTest = { kind: "tensors", inputs: { x: { type: "float32", dims: [48], values: x } }, outputs: { waves: { dims: [48], first, tolerance: 1e-12 } } };
    const loaded = await load({ ...waves, backend: "auto", selfTest });
    expect(loaded.backend).toBe("wasm");
    expect(loaded.reason).toMatch(/^WASM with .*: The model does not work here as it should: in its self-test, waves begins with other values/);
    const loose: SelfTest = { ...selfTest, outputs: { waves: { dims: [48], first, tolerance: 0.001 } } };
    expect((await load({ ...waves, backend: "auto", selfTest: loose })).backend).toBe("webgpu");
  });

  test("numbers that are none are tried on both backends, and used on neither", { timeout: SLOW }, async () => {
    const error = await failure({ task: "text-classification", files: filesOf(noNumbersModel()), backend: "auto" });
    expect(error.code).toBe("backend-unavailable");
    // What a GPU makes of such a logarithm may be a number; then it isn't the CPU's.
    expect(error.message).toMatch(/here as it should: it gives results that are no numbers; .*(?:results that are no numbers|not the CPU's)/);
  });
});
