/** A model of text on kernels goes by the threads that it is told, or by as many as it measures to be soonest; and is left at once. */
import { afterEach, expect, test } from "vitest";
import { loadRuntime, type LoadOptions, type Runtime } from "../../../client/runtime/host.ts";
import type { GenerateEvent, GenerateInput } from "../../../client/runtime/tasks/text-generation/request.ts";
import { BLOCK_DECODER_CONFIG, blockDecoderFile } from "../../support/block-decoder.ts";
import { byteLevelTokenizer } from "../../support/small-tokenizers.ts";

const { file, config } = byteLevelTokenizer();
const json = (path: string, value: object) => ({ path, blob: new Blob([JSON.stringify(value)]) });
const FILES = [json("config.json", BLOCK_DECODER_CONFIG), json("tokenizer.json", file), json("tokenizer_config.json", config), { path: "model.onnx", blob: new Blob([blockDecoderFile()]) }];
const ask: GenerateInput = { kind: "generate", prompt: { kind: "tokens", ids: [5, 40, 7] }, sampling: { temperature: 0, logitBias: { 0: -100 } }, maxTokens: 60, stop: [], choices: 1, logprobs: null, format: { type: "text" }, hold: null };

const open: Runtime[] = [];
afterEach(() => {
  for (const runtime of open.splice(0)) runtime.close();
});

async function load(options: Partial<LoadOptions>): Promise<Runtime> {
  const runtime = await loadRuntime({ task: "text-generation", files: FILES, backend: "wasm", ortBase: new URL("/nowhere/", location.origin).href, ...options });
  open.push(runtime);
  return runtime;
}

async function textOf(runtime: Runtime): Promise<string> {
  const pieces: string[] = [];
  const onPiece = (event: GenerateEvent) => void (event.kind === "piece" && pieces.push(event.text));
  expect(await runtime.run("text-generation", ask, { onPiece })).toMatchObject({ outputTokens: 60 });
  return pieces.join("");
}

test("however many there are, told or measured, the text is the same; which it is can be seen", async () => {
  const [three, measured] = [await load({ threads: 3 }), await load({})];
  const text = await textOf(three);
  expect(text.length).toBeGreaterThan(20);
  expect(await textOf(measured)).toBe(text);
  expect([three.threads, three.reason]).toEqual([3, "WASM with 3 threads: as asked for."]);
  const most = Math.min(4, navigator.hardwareConcurrency);
  expect(measured.threads).toBeGreaterThanOrEqual(1);
  expect(measured.threads).toBeLessThanOrEqual(most);
  if (measured.threads < most) expect(measured.reason).toMatch(/Single tokens come soonest by (one thread|\d threads), as measured\.$/);
});

test("a number that is none is refused", async () => {
  for (const threads of [0, 2.5, 17, NaN]) await expect(load({ threads })).rejects.toMatchObject({ code: "invalid-request" });
});

test("a call is left while it writes, though the worker stops for messages only where some wait; the next one works", async () => {
  const runtime = await load({});
  const stop = new AbortController();
  const left = runtime.run("text-generation", { ...ask, maxTokens: 500 }, { signal: stop.signal, onPiece: () => stop.abort() });
  await expect(left).rejects.toMatchObject({ code: "aborted" });
  expect(await textOf(runtime)).not.toBe("");
});
