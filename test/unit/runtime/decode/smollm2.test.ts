/**
 * A real chat model, from its files to its text: on WebAssembly it says what the reference says, token for token, by
 * kernels of our own alone. Its chat template and its tokenizer are those of the hub.
 */
import { openAsBlob, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { EngineOnDemand } from "../../../../client/runtime/backends/engine.ts";
import { openDecoder } from "../../../../client/runtime/decode/open-decoder.ts";
import { Generator } from "../../../../client/runtime/generate/generator.ts";
import { ModelFiles } from "../../../../client/runtime/tasks/model-files.ts";
import type { ChatMessage, GenerateInput } from "../../../../client/runtime/tasks/text-generation/request.ts";
import { loadTokenizer, readJson } from "../../../../client/runtime/tokenizer/tokenizer.ts";
import { expectedOf, readyModel, titled } from "../../../support/real-models.ts";

interface Case {
  readonly messages: readonly ChatMessage[];
  readonly prompt_ids: readonly number[];
  /** Ends with the model's end token where it stopped by itself. */
  readonly output_ids: readonly number[];
  readonly text: string;
  readonly stopped_at_eos: boolean;
  /** Of each step: how far the likeliest token's logit is above the next one's. */
  readonly margins: readonly number[];
}

const FILES = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "onnx/model_q4.onnx"];
/** Its weights come out of a calibration that is not the same on every processor: a smaller lead than this may turn there. */
const SMALL_LEAD = 0.2;

const found = readyModel("smollm2");
const noEngine: EngineOnDemand = { backend: "wasm", threads: 1, areThreadsFixed: true, start: () => Promise.reject(new Error("no engine is needed")) };
const steps = async () => undefined;

test.skipIf(found.missing !== null)(titled("SmolLM2 answers the reference's tokens, streamed as its text", found), { timeout: 240_000 }, async () => {
  const { cases } = JSON.parse(readFileSync(expectedOf("smollm2"), "utf8")) as { cases: Case[] };
  const files = new ModelFiles(await Promise.all(FILES.map(async (path) => ({ path, blob: await openAsBlob(join(found.folder ?? "", path)) }))));
  const tokenizer = await loadTokenizer(files);
  const decoder = await openDecoder(files, noEngine, { memoryBytes: 2e9 }, steps);
  expect(decoder.description).toMatch(/kernels; one thread$/);
  const generator = new Generator({ decoder, tokenizer, generationConfig: await readJson(files, "generation_config.json"), modelConfig: await readJson(files, "config.json") });

  for (const { messages, prompt_ids: prompt, output_ids: expected, text, stopped_at_eos: isStopped, margins } of cases) {
    // Token by token, from an empty sequence.
    await decoder.truncate(0);
    const ids: number[] = [];
    for (let next = await decoder.feed(Int32Array.from(prompt), steps); ids.length < expected.length; next = await decoder.feed(Int32Array.of(ids.at(-1) ?? 0), steps)) ids.push(await next.greedy());
    const turned = ids.findIndex((id, at) => id !== expected[at]);
    if (turned >= 0) expect(margins[turned], `token ${turned}`).toBeLessThan(SMALL_LEAD);

    // From a person's words to the model's, beside what the sequence has in common.
    const pieces: string[] = [];
    const ends: string[] = [];
    const input: GenerateInput = { kind: "generate", prompt: { kind: "chat", messages, tools: [], toolChoice: "auto", isParallel: true }, sampling: { temperature: 0, repetitionPenalty: 1 }, maxTokens: 64, stop: [], choices: 1, logprobs: null, format: { type: "text" }, hold: null };
    const output = await generator.run(input, steps, {
      notes: () => [],
      emit(event) {
        if (event.kind === "piece") pieces.push(event.text);
        if (event.kind === "ended") ends.push(event.why);
      },
    });
    expect(pieces.join("")).toBe(turned < 0 ? text : tokenizer.decode(ids.slice(0, output.outputTokens)));
    expect(output.promptTokens).toBe(prompt.length);
    if (turned >= 0) continue; // where it ends is another matter then
    expect(ends).toEqual([isStopped ? "end-token" : "max-tokens"]);
    expect(output.outputTokens).toBe(expected.length - (isStopped ? 1 : 0));
  }
});
