/** From OpenAI's requests to what the runtime takes. Pure. What can't be kept is `invalid-request`, naming the field. */
import { LeaseholdError } from "../../errors.ts";
import type { ChatMessage, GenerateInput, ResponseFormat, SamplingWish, ToolChoice } from "../../runtime/tasks/text-generation/request.ts";
import type { ChatRequest, CompletionRequest, Message } from "./openai.ts";

export function chatInput(request: ChatRequest): GenerateInput {
  const { messages, tools, tool_choice: choice, logprobs, top_logprobs: top, max_completion_tokens: most } = request;
  if (!Array.isArray(messages)) throw new LeaseholdError("invalid-request", "messages is a list.");
  return {
    ...shared(request, most ?? request.max_tokens ?? null),
    prompt: { kind: "chat", messages: messages.map(plainMessage), tools: tools ?? [], toolChoice: toolChoice(choice) },
    logprobs: logprobs ? (top ?? 0) : null,
    format: responseFormat(request.response_format),
  };
}

export function completionInput(request: CompletionRequest): GenerateInput {
  const { prompt, logprobs, max_tokens: most } = request;
  if (typeof prompt !== "string" && !(Array.isArray(prompt) && prompt.every((id) => Number.isSafeInteger(id) && id >= 0))) throw new LeaseholdError("invalid-request", "prompt is one text, or its tokens.");
  return {
    ...shared(request, most ?? 16), // OpenAI's limit where a completion states none
    prompt: typeof prompt === "string" ? { kind: "text", text: prompt } : { kind: "tokens", ids: prompt },
    logprobs: logprobs ?? null,
    format: { type: "text" },
  };
}

function shared(request: ChatRequest | CompletionRequest, maxTokens: number | null): Omit<GenerateInput, "prompt" | "logprobs" | "format"> {
  const { stop, n } = request;
  return { kind: "generate", sampling: sampling(request), maxTokens, stop: stop == null ? [] : typeof stop === "string" ? [stop] : stop, choices: n ?? 1, hold: null };
}

const sampling = (request: ChatRequest | CompletionRequest): SamplingWish => ({
  temperature: request.temperature ?? undefined,
  topK: request.top_k ?? undefined,
  topP: request.top_p ?? undefined,
  minP: request.min_p ?? undefined,
  repetitionPenalty: request.repetition_penalty ?? undefined,
  frequencyPenalty: request.frequency_penalty ?? undefined,
  presencePenalty: request.presence_penalty ?? undefined,
  logitBias: request.logit_bias ?? undefined,
  seed: request.seed ?? undefined,
});

function plainMessage({ role, content, name, tool_calls, tool_call_id }: Message): ChatMessage {
  return { role, content: textOf(content), ...(name !== undefined && { name }), ...(tool_calls && { tool_calls }), ...(tool_call_id !== undefined && { tool_call_id }) };
}

function textOf(content: Message["content"]): string {
  if (content == null) return "";
  if (typeof content === "string") return content;
  return content
    .map((part) => {
      if (part.type !== "text") throw new LeaseholdError("invalid-request", `A message's content may have parts of the type "text" only, not "${String(part.type)}".`);
      return part.text;
    })
    .join("");
}

function toolChoice(choice: ChatRequest["tool_choice"]): ToolChoice {
  if (choice === undefined) return "auto";
  return typeof choice === "string" ? choice : { name: choice.function.name };
}

function responseFormat(format: ChatRequest["response_format"]): ResponseFormat {
  return format?.type === "json_schema" ? { type: "json_schema", schema: format.json_schema.schema } : (format ?? { type: "text" });
}
