/** OCR on WebGPU. Where the only adapter is SwiftShader this is slow, so the picture is small. */
import { expect, test } from "vitest";
import { loadRuntime } from "../../../client/runtime/host.ts";
import { readingText } from "../../../client/runtime/tasks/ocr/order.ts";
import { draw, ocrFiles } from "./ocr-fixture.ts";

test("WebGPU, asked for by name, passes its self-test and reads what WASM reads", { timeout: 300_000 }, async () => {
  const files = await ocrFiles();
  const image = await draw([{ text: "TOTAL $24.36", x: 20, y: 42 }], { width: 240, height: 64, font: "30px Receipt" });
  for (const backend of ["wasm", "webgpu"] as const) {
    const runtime = await loadRuntime({ task: "ocr", files, backend });
    expect(runtime.backend).toBe(backend);
    const { blocks } = await runtime.readOcr(image);
    runtime.close();
    expect(readingText(blocks)).toBe("TOTAL $24.36");
  }
});
