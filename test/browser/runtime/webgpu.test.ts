/** OCR on WebGPU. Where the only adapter is SwiftShader this is slow, so the picture is small and loaded models are shared. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { cdp } from "vitest/browser";
import { LeaseholdError } from "../../../client/errors.ts";
import { loadRuntime, type Runtime } from "../../../client/runtime/host.ts";
import { draw, ocrFiles, readingText } from "./ocr-fixture.ts";

const SLOW = 300_000;
let runtime: Runtime;
let image: Blob;

beforeAll(async () => {
  image = await draw([{ text: "TOTAL $24.36", x: 20, y: 42 }], { width: 240, height: 64, font: "30px Receipt" });
  runtime = await loadRuntime({ task: "ocr", files: await ocrFiles(), backend: "webgpu" });
}, SLOW);
afterAll(() => runtime.close());

test("WebGPU, asked for by name, passes its self-test and reads what is printed", { timeout: SLOW }, async () => {
  expect(runtime.backend).toBe("webgpu");
  expect(runtime.reason).toMatch(/^WebGPU on /);
  expect(readingText((await runtime.readOcr(image)).blocks)).toBe("TOTAL $24.36");
});

test("a GPU process that dies fails the call at hand, and the next one works", { timeout: SLOW }, async () => {
  const reading = runtime.readOcr(image).then(
    () => "it worked",
    (error: unknown) => (error instanceof LeaseholdError ? error.code : error),
  );
  await cdp().send("Browser.crashGpuProcess");
  expect(await reading).toBe("runtime-crashed");
  expect(readingText((await runtime.readOcr(image)).blocks)).toBe("TOTAL $24.36");
});

test("where WebGPU fails on the way, auto goes on with WASM and says why", { timeout: SLOW }, async () => {
  const info = vi.spyOn(GPUAdapter.prototype, "info", "get").mockReturnValue({ description: "a real GPU" } as GPUAdapterInfo);
  let crash: Promise<unknown> | undefined;
  const automatic = await loadRuntime({
    task: "ocr",
    files: await ocrFiles(),
    backend: "auto",
    onProgress: ({ stage }) => {
      if (stage === "warmup") crash ??= cdp().send("Browser.crashGpuProcess");
    },
  });
  await crash;
  info.mockRestore();
  expect(automatic.backend).toBe("wasm");
  expect(automatic.reason).toMatch(/The graphics device was lost/);
  expect(readingText((await automatic.readOcr(image)).blocks)).toBe("TOTAL $24.36");
  automatic.close();
});
