/**
 * Leasehold's models for Vercel's AI SDK: `const models = leaseholdModels(lh)`, then
 * `streamText({ model: models("chat"), prompt })`, `embedMany({ model: models.embeddingModel("minilm"), values })`.
 *
 * - The specification's fourth version; its types are all that is used of it.
 * - What fails is a `LeaseholdError` with its code, but a stop, which is the `AbortError` that the AI SDK looks for.
 * - What a model here can't be given is told as a warning where the answer is whole without it (`headers`, `reasoning`),
 *   and is `invalid-request` where it isn't: files, and tools that a provider runs itself.
 * - `providerMetadata.leasehold` has what OpenAI's shapes have no field for: backend, leases, speed, what ended it.
 */
import type {
  EmbeddingModelV4,
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4Message,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
  ProviderV4,
  SharedV4ProviderMetadata,
  SharedV4Warning,
} from "@ai-sdk/provider";
import { LeaseholdError } from "../errors.ts";
import type { EmbeddingRequest, EmbeddingResponse } from "../sdk/text/encoder-calls.ts";
import type { CallOptions } from "../sdk/text/hold.ts";
import type { Account, ChatChunk, ChatCompletion, ChatRequest, FinishReason, FunctionCall, FunctionTool, Message, Usage } from "../sdk/text/openai.ts";

/** `Leasehold`, or whatever else answers in OpenAI's shapes. */
export interface ModelSource {
  readonly chat: {
    readonly completions: {
      create(request: ChatRequest & { readonly stream: true }, options?: CallOptions): Promise<AsyncIterable<ChatChunk>>;
      create(request: ChatRequest & { readonly stream?: false | null }, options?: CallOptions): Promise<ChatCompletion>;
    };
  };
  readonly embeddings: { create(request: EmbeddingRequest, options?: CallOptions): Promise<EmbeddingResponse> };
}

/** Called as a function, it gives a language model. */
export interface LeaseholdModels extends ProviderV4 {
  (model: string): LanguageModelV4;
}

/** So many texts are one call: a stop is heard between two, and the hold stays of a size that limits allow. */
const EMBEDDINGS_PER_CALL = 256;

export function leaseholdModels(source: ModelSource): LeaseholdModels {
  const language = (model: string) => languageModel(source, model);
  return Object.assign((model: string) => language(model), {
    specificationVersion: "v4" as const,
    languageModel: language,
    embeddingModel: (model: string) => embeddingModel(source, model),
    imageModel(model: string): never {
      throw new LeaseholdError("invalid-request", `${model} can't draw: no task here makes pictures.`);
    },
  });
}

const languageModel = (source: ModelSource, model: string): LanguageModelV4 => ({
  specificationVersion: "v4",
  provider: "leasehold",
  modelId: model,
  supportedUrls: {},
  async doGenerate(options) {
    const asked = source.chat.completions.create(requestOf(model, options), callOf(options));
    const { choices, usage, leasehold, id } = await asked.catch((error: unknown) => Promise.reject(failureOf(error, options.abortSignal)));
    const [choice] = choices;
    const content: LanguageModelV4Content[] = choice?.message.content ? [{ type: "text", text: choice.message.content }] : [];
    content.push(...(choice?.message.tool_calls ?? []).map(toolCall));
    return { content, finishReason: finishOf(choice?.finish_reason ?? "stop"), usage: usageOf(usage), warnings: warningsOf(options), response: { id, modelId: model }, providerMetadata: metadataOf(leasehold) };
  },
  async doStream(options) {
    const asked = source.chat.completions.create({ ...requestOf(model, options), stream: true, stream_options: { include_usage: true } }, callOf(options));
    const chunks = await asked.catch((error: unknown) => Promise.reject(failureOf(error, options.abortSignal)));
    const parts = partsOf(chunks, warningsOf(options), options.abortSignal);
    return {
      stream: new ReadableStream<LanguageModelV4StreamPart>({
        async pull(controller) {
          const { done, value } = await parts.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: async () => void (await parts.return(undefined)), // leaving the loop stops the model
      }),
    };
  },
});

const embeddingModel = (source: ModelSource, model: string): EmbeddingModelV4 => ({
  specificationVersion: "v4",
  provider: "leasehold",
  modelId: model,
  maxEmbeddingsPerCall: EMBEDDINGS_PER_CALL,
  supportsParallelCalls: false, // one worker a model
  async doEmbed({ values, dimensions, headers, abortSignal }) {
    const asked = source.embeddings.create({ model, input: values, ...(dimensions !== undefined && { dimensions }) }, callOf({ abortSignal }));
    const { data, usage, leasehold } = await asked.catch((error: unknown) => Promise.reject(failureOf(error, abortSignal)));
    return {
      embeddings: data.map(({ embedding }) => [...(embedding as readonly number[])]),
      usage: { tokens: usage.prompt_tokens },
      warnings: warningsOf({ headers }),
      providerMetadata: { leasehold: { ...leasehold, lease_ids: [...leasehold.lease_ids] } },
    };
  },
});

/** A stop, as the AI SDK knows one: it then ends a stream by an `abort` part, and tries nothing again. */
function failureOf(error: unknown, signal: AbortSignal | undefined): unknown {
  if (!signal?.aborted || !(error instanceof LeaseholdError) || error.code !== "aborted") return error;
  return signal.reason instanceof DOMException ? signal.reason : new DOMException("Stopped.", "AbortError");
}

const TEXT = "0";

async function* partsOf(chunks: AsyncIterable<ChatChunk>, warnings: SharedV4Warning[], signal: AbortSignal | undefined): AsyncGenerator<LanguageModelV4StreamPart, void> {
  yield { type: "stream-start", warnings };
  let isOpen = false;
  let reason: FinishReason = "stop";
  let usage: Usage | null = null;
  let account: Account | undefined;
  try {
    for await (const { choices, usage: used, leasehold } of chunks) {
      usage = used ?? usage;
      account = leasehold ?? account;
      const { content = "", tool_calls: calls = [] } = choices[0]?.delta ?? {};
      reason = choices[0]?.finish_reason ?? reason;
      if (content !== "") {
        if (!isOpen) yield { type: "text-start", id: TEXT };
        isOpen = true;
        yield { type: "text-delta", id: TEXT, delta: content };
      }
      for (const call of calls) yield toolCall(call);
    }
  } catch (error) {
    return yield { type: "error", error: failureOf(error, signal) };
  }
  if (isOpen) yield { type: "text-end", id: TEXT };
  yield { type: "finish", finishReason: finishOf(reason), usage: usageOf(usage), ...(account && { providerMetadata: metadataOf(account) }) };
}

const callOf = ({ abortSignal }: { readonly abortSignal?: AbortSignal | undefined }): CallOptions => (abortSignal ? { signal: abortSignal } : {});

function requestOf(model: string, { prompt, responseFormat, tools, toolChoice, ...given }: LanguageModelV4CallOptions): ChatRequest & { readonly stream: false } {
  return {
    model,
    stream: false,
    messages: prompt.flatMap(messagesOf),
    max_tokens: given.maxOutputTokens ?? null,
    temperature: given.temperature ?? null,
    top_p: given.topP ?? null,
    top_k: given.topK ?? null,
    presence_penalty: given.presencePenalty ?? null,
    frequency_penalty: given.frequencyPenalty ?? null,
    stop: given.stopSequences ?? null,
    seed: given.seed ?? null,
    ...(responseFormat?.type === "json" && { response_format: responseFormat.schema ? { type: "json_schema" as const, json_schema: { name: responseFormat.name ?? "answer", schema: responseFormat.schema } } : { type: "json_object" as const } }),
    ...(tools && tools.length > 0 && { tools: tools.map(toolOf) }),
    ...(toolChoice && { tool_choice: toolChoice.type === "tool" ? { type: "function" as const, function: { name: toolChoice.toolName } } : toolChoice.type }),
  };
}

function toolOf(tool: NonNullable<LanguageModelV4CallOptions["tools"]>[number]): FunctionTool {
  if (tool.type !== "function") throw new LeaseholdError("invalid-request", `The tool ${tool.name} is one that a provider runs; a model in the page calls functions of yours.`);
  return { type: "function", function: { name: tool.name, ...(tool.description !== undefined && { description: tool.description }), parameters: tool.inputSchema } };
}

function messagesOf(message: LanguageModelV4Message): Message[] {
  switch (message.role) {
    case "system":
      return [{ role: "system", content: message.content }];
    case "user":
      return [{ role: "user", content: message.content.map((part) => (part.type === "text" ? part.text : noPart(part.type))).join("") }];
    case "assistant": {
      const calls = message.content.flatMap((part): FunctionCall[] => (part.type === "tool-call" ? [{ id: part.toolCallId, type: "function", function: { name: part.toolName, arguments: JSON.stringify(part.input) } }] : []));
      // What a model thought aloud before is not told to it again.
      const text = message.content.map((part) => (part.type === "text" ? part.text : part.type === "tool-call" || part.type === "reasoning" ? "" : noPart(part.type))).join("");
      return [{ role: "assistant", content: text, ...(calls.length > 0 && { tool_calls: calls }) }];
    }
    case "tool":
      return message.content.map((part) => (part.type === "tool-result" ? { role: "tool", tool_call_id: part.toolCallId, content: resultOf(part.output) } : noPart(part.type)));
  }
}

type ToolOutput = Extract<Extract<LanguageModelV4Message, { role: "tool" }>["content"][number], { type: "tool-result" }>["output"];

function resultOf(output: ToolOutput): string {
  switch (output.type) {
    case "text":
    case "error-text":
      return output.value;
    case "json":
    case "error-json":
      return JSON.stringify(output.value);
    case "execution-denied":
      return output.reason ?? "The call was not allowed.";
    case "content":
      return output.value.map((part) => (part.type === "text" ? part.text : noPart(part.type))).join("");
  }
}

function noPart(type: string): never {
  throw new LeaseholdError("invalid-request", `A message has a part of the type "${type}", and a model in the page is told text.`);
}

const toolCall = ({ id, function: { name, arguments: input } }: FunctionCall) => ({ type: "tool-call" as const, toolCallId: id, toolName: name, input });

const UNIFIED: Record<FinishReason, LanguageModelV4FinishReason["unified"]> = { stop: "stop", length: "length", tool_calls: "tool-calls" };
const finishOf = (reason: FinishReason): LanguageModelV4FinishReason => ({ unified: UNIFIED[reason], raw: reason });

function usageOf(usage: Usage | null): LanguageModelV4Usage {
  const cached = usage?.prompt_tokens_details.cached_tokens;
  return {
    inputTokens: { total: usage?.prompt_tokens, noCache: usage ? usage.prompt_tokens - (cached ?? 0) : undefined, cacheRead: cached, cacheWrite: undefined },
    outputTokens: { total: usage?.completion_tokens, text: usage?.completion_tokens, reasoning: undefined },
  };
}

const metadataOf = (account: Account): SharedV4ProviderMetadata => ({ leasehold: { ...account, lease_ids: [...account.lease_ids], stop_codes: [...account.stop_codes] } });

const warningsOf = ({ headers, reasoning }: Pick<LanguageModelV4CallOptions, "headers" | "reasoning">): SharedV4Warning[] => [
  ...(Object.keys(headers ?? {}).some((name) => name.toLowerCase() !== "user-agent") ? [{ type: "unsupported" as const, feature: "headers", details: "Nothing is sent: the model runs in the page." }] : []),
  ...(reasoning !== undefined && reasoning !== "provider-default" ? [{ type: "unsupported" as const, feature: "reasoning" }] : []),
];
