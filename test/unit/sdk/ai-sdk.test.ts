import type { LanguageModelV4CallOptions, LanguageModelV4StreamPart } from "@ai-sdk/provider";
import { describe, expect, it } from "vitest";
import { leaseholdModels, type ModelSource } from "../../../client/ai-sdk/provider.ts";
import { LeaseholdError } from "../../../client/errors.ts";
import type { EmbeddingRequest, EmbeddingResponse } from "../../../client/sdk/text/encoder-calls.ts";
import type { CallOptions } from "../../../client/sdk/text/hold.ts";
import type { Account, ChatChunk, ChatCompletion, ChatRequest, FunctionCall } from "../../../client/sdk/text/openai.ts";

const account: Account = { backend: "wasm", threads: 2, reason: "as asked for", request_id: "req_1", lease_ids: ["ls_1"], cache: "hit", ttft_ms: 5, tokens_per_second: 30, stop_codes: ["end-token"] };
const usage = { prompt_tokens: 10, completion_tokens: 3, total_tokens: 13, prompt_tokens_details: { cached_tokens: 4 } };
const head = { id: "chatcmpl-1", created: 0, model: "chat" };
const call: FunctionCall = { id: "call_1", type: "function", function: { name: "weather", arguments: '{"at":"Oslo"}' } };

/** A model that says "Good day." and calls a tool where it has one; it hears what it is asked. */
function source(failure?: LeaseholdError) {
  const asked: ChatRequest[] = [];
  const state = { isLeft: false };
  async function* stream(request: ChatRequest): AsyncGenerator<ChatChunk> {
    const chunk = (delta: ChatChunk["choices"][number]["delta"], finish_reason: "stop" | "tool_calls" | null = null): ChatChunk => ({ ...head, object: "chat.completion.chunk", choices: [{ index: 0, delta, logprobs: null, finish_reason }] });
    try {
      yield chunk({ role: "assistant", content: "" });
      yield chunk({ content: "Good " });
      if (failure) throw failure;
      yield chunk({ content: "day." });
      if (request.tools) yield chunk({ tool_calls: [{ index: 0, ...call }] });
      yield chunk({}, request.tools ? "tool_calls" : "stop");
      yield { ...head, object: "chat.completion.chunk", choices: [], usage, leasehold: account };
    } finally {
      state.isLeft = true;
    }
  }
  const whole = (request: ChatRequest): ChatCompletion => ({ ...head, object: "chat.completion", usage, leasehold: account, choices: [{ index: 0, logprobs: null, finish_reason: request.tools ? "tool_calls" : "stop", message: { role: "assistant", content: "Good day.", refusal: null, ...(request.tools && { tool_calls: [call] }) } }] });
  const create = async (request: ChatRequest) => {
    asked.push(request);
    return request.stream ? stream(request) : whole(request);
  };
  const embeddings = {
    async create({ model, input, dimensions = 2 }: EmbeddingRequest, { signal }: CallOptions = {}): Promise<EmbeddingResponse> {
      if (failure) throw failure;
      if (signal?.aborted) throw new LeaseholdError("aborted", "Stopped.");
      const data = [input].flat().map((text, index) => ({ object: "embedding" as const, index, embedding: Array<number>(dimensions).fill(text.length) }));
      return { object: "list", model, data, usage: { prompt_tokens: 5, total_tokens: 5 }, leasehold: account };
    },
  };
  const models = leaseholdModels({ chat: { completions: { create } }, embeddings } as ModelSource);
  return { asked, state, models, model: models("chat") };
}

const prompt: LanguageModelV4CallOptions["prompt"] = [{ role: "system", content: "Be brief." }, { role: "user", content: [{ type: "text", text: "Hel" }, { type: "text", text: "lo" }] }];
const tools: LanguageModelV4CallOptions["tools"] = [{ type: "function", name: "weather", inputSchema: { type: "object" } }];

async function all(stream: ReadableStream<LanguageModelV4StreamPart>): Promise<LanguageModelV4StreamPart[]> {
  const parts: LanguageModelV4StreamPart[] = [];
  const reader = stream.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) parts.push(next.value);
  return parts;
}

const counted = { inputTokens: { total: 10, noCache: 6, cacheRead: 4 }, outputTokens: { total: 3, text: 3 } };

describe("a model of the AI SDK", () => {
  it("gives a whole answer, its tokens and where it ran", async () => {
    const { asked, model } = source();
    const answer = await model.doGenerate({ prompt, maxOutputTokens: 9, temperature: 0.5, stopSequences: ["\n"], seed: 3 });
    expect(answer).toMatchObject({ content: [{ type: "text", text: "Good day." }], finishReason: { unified: "stop" }, usage: counted, warnings: [], providerMetadata: { leasehold: { backend: "wasm", lease_ids: ["ls_1"] } } });
    expect(asked).toMatchObject([{ model: "chat", messages: [{ role: "system", content: "Be brief." }, { role: "user", content: "Hello" }], max_tokens: 9, temperature: 0.5, stop: ["\n"], seed: 3 }]);
  });

  it("streams text, then calls, then the end", async () => {
    const { model } = source();
    const { stream } = await model.doStream({ prompt, tools, toolChoice: { type: "tool", toolName: "weather" } });
    expect(await all(stream)).toMatchObject([
      { type: "stream-start", warnings: [] },
      { type: "text-start" },
      { type: "text-delta", delta: "Good " },
      { type: "text-delta", delta: "day." },
      { type: "tool-call", toolCallId: "call_1", toolName: "weather", input: '{"at":"Oslo"}' },
      { type: "text-end" },
      { type: "finish", finishReason: { unified: "tool-calls", raw: "tool_calls" }, usage: counted },
    ]);
  });

  it("tells a model what its tools answered, and holds it to a schema", async () => {
    const { asked, model } = source();
    const turns: LanguageModelV4CallOptions["prompt"] = [
      ...prompt,
      { role: "assistant", content: [{ type: "reasoning", text: "hm" }, { type: "tool-call", toolCallId: "call_1", toolName: "weather", input: { at: "Oslo" } }] },
      { role: "tool", content: [{ type: "tool-result", toolCallId: "call_1", toolName: "weather", output: { type: "json", value: { rain: true } } }] },
    ];
    await model.doGenerate({ prompt: turns, responseFormat: { type: "json", schema: { type: "object" } } });
    expect(asked[0]?.messages.slice(2)).toEqual([
      { role: "assistant", content: "", tool_calls: [call] },
      { role: "tool", tool_call_id: "call_1", content: '{"rain":true}' },
    ]);
    expect(asked[0]?.response_format).toEqual({ type: "json_schema", json_schema: { name: "answer", schema: { type: "object" } } });
  });

  it("says in the stream what failed, and stops the model where the reader leaves", async () => {
    const failure = new LeaseholdError("daily-quota-exceeded", "Used up.");
    const broken = await source(failure).model.doStream({ prompt });
    expect((await all(broken.stream)).at(-1)).toEqual({ type: "error", error: failure });
    const { state, model } = source();
    const reader = (await model.doStream({ prompt })).stream.getReader();
    for (let count = 0; count < 3; count++) await reader.read();
    await reader.cancel();
    expect(state.isLeft).toBe(true);
  });

  it("refuses pictures, and warns of what has no meaning here", async () => {
    const { model } = source();
    await expect(model.doGenerate({ prompt: [{ role: "user", content: [{ type: "file", mediaType: "image/png", data: { type: "data", data: "" } }] }] })).rejects.toMatchObject({ code: "invalid-request" });
    expect((await model.doGenerate({ prompt, headers: { "X-A": "b" }, reasoning: "high" })).warnings).toMatchObject([{ feature: "headers" }, { feature: "reasoning" }]);
  });

  it("tells the AI SDK of a stop by the error that it knows, whole, streamed or embedded", async () => {
    const stopped = new LeaseholdError("aborted", "Stopped.");
    const abortSignal = AbortSignal.abort();
    const parts = await all((await source(stopped).model.doStream({ prompt, abortSignal })).stream);
    expect(parts.at(-1)).toMatchObject({ type: "error", error: { name: "AbortError" } });
    const { models } = source(stopped);
    await expect(models.embeddingModel("m").doEmbed({ values: ["a"], abortSignal: AbortSignal.abort("why") })).rejects.toMatchObject({ name: "AbortError" });
    await expect(models.embeddingModel("m").doEmbed({ values: ["a"] })).rejects.toBe(stopped); // the page went away: nobody asked for it
  });

  it("embeds texts in their order, and draws nothing", async () => {
    const { models } = source();
    expect(await models.embeddingModel("minilm").doEmbed({ values: ["a", "abc"], dimensions: 3 })).toMatchObject({ embeddings: [[1, 1, 1], [3, 3, 3]], usage: { tokens: 5 }, providerMetadata: { leasehold: { backend: "wasm" } } });
    expect(() => models.imageModel("chat")).toThrow(expect.objectContaining({ code: "invalid-request" }));
  });
});
