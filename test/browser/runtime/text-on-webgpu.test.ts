/** Text generation on WebGPU as a page gets it from "auto" where there is a graphics adapter, with JSPI and without. */
import { afterEach, expect, test, vi } from "vitest";
import { loadRuntime } from "../../../client/runtime/host.ts";
import type { GenerateEvent, GenerateInput } from "../../../client/runtime/tasks/text-generation/request.ts";
import { stories } from "./stories-fixture.ts";

const { Suspending } = WebAssembly as { Suspending?: unknown };
afterEach(() => {
  Object.assign(WebAssembly, { Suspending });
});

test.for([
  { where: "a browser with JSPI", hasJspi: true, count: 16, reason: "WebGPU on a real GPU." },
  { where: "one without", hasJspi: false, count: 5, reason: "WebGPU without JSPI (asyncify) on a real GPU." },
])("what auto runs on a graphics adapter of $where tells the reference's story", { timeout: 180_000 }, async ({ hasJspi, count, reason }, { skip }) => {
  if (!hasJspi) Reflect.deleteProperty(WebAssembly, "Suspending");
  const model = await stories();
  if (!model) return skip("the models next to the checkout are not there");
  // Emulated adapters are passed over by name; this one says that it is none.
  const info = vi.spyOn(GPUAdapter.prototype, "info", "get").mockReturnValue({ description: "a real GPU" } as GPUAdapterInfo);
  const [story] = model.cases;
  if (!story) throw new Error("no story");
  const runtime = await loadRuntime({ task: "text-generation", files: model.files, backend: "auto", selfTest: { kind: "tokens", input_ids: [...story.prompt_ids], output_ids: story.output_ids.slice(0, 4) } });
  info.mockRestore();
  expect([runtime.backend, runtime.reason]).toEqual(["webgpu", reason]);
  const pieces: string[] = [];
  const ask: GenerateInput = { kind: "generate", prompt: { kind: "text", text: story.prompt }, sampling: {}, maxTokens: count, stop: [], choices: 1, logprobs: null, format: { type: "text" }, hold: null };
  const onPiece = (event: GenerateEvent) => void (event.kind === "piece" && pieces.push(event.text));
  expect(await runtime.run("text-generation", ask, { onPiece })).toMatchObject({ outputTokens: count });
  expect(pieces.join("").length).toBeGreaterThanOrEqual(count);
  expect(story.text.slice(story.prompt.length).startsWith(pieces.join(""))).toBe(true);
  runtime.close();
});
