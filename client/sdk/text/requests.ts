/**
 * From OpenAI's requests to what the runtime takes. Pure.
 *
 * - What can't be kept is `invalid-request`, naming the field; so is a field that nobody knows, as with OpenAI.
 * - What only says how OpenAI keeps, pays or serves an answer is taken, and nothing comes of it.
 */
import { LeaseholdError } from "../../errors.ts";
import type { ChatMessage, GenerateInput, ResponseFormat, SamplingWish, Tool, ToolCall, ToolChoice } from "../../runtime/tasks/text-generation/request.ts";
import type { ChatRequest, CompletionRequest, Message } from "./openai.ts";
import { isListOf, isObject, isText } from "./values.ts";

export function chatInput(request: ChatRequest): GenerateInput {
  const { messages, logprobs, top_logprobs: top, max_completion_tokens: most } = request;
  judge(request, OF_CHATS);
  if (!Array.isArray(messages)) throw invalid("messages is a list");
  if (logprobs != null && typeof logprobs !== "boolean") throw invalid("logprobs is true or false; top_logprobs says how many");
  if (top != null && !logprobs) throw invalid("top_logprobs needs logprobs: true");
  if (top != null && !Number.isSafeInteger(top)) throw invalid("top_logprobs is a whole number");
  const tools = checkedTools(request.tools ?? []);
  return {
    ...shared(request, most ?? request.max_tokens ?? null),
    prompt: { kind: "chat", messages: messages.map(plainMessage), tools, toolChoice: toolChoice(request.tool_choice, tools), isParallel: request.parallel_tool_calls ?? true },
    logprobs: logprobs ? (top ?? 0) : null,
    format: responseFormat(request.response_format),
  };
}

export function completionInput(request: CompletionRequest): GenerateInput {
  const { logprobs, max_tokens: most } = request;
  judge(request, OF_COMPLETIONS);
  const prompt = onePrompt(request.prompt);
  if (logprobs != null && !Number.isSafeInteger(logprobs)) throw invalid("logprobs is a whole number");
  return {
    ...shared(request, most ?? 16), // OpenAI's limit where a completion states none
    prompt: typeof prompt === "string" ? { kind: "text", text: prompt } : { kind: "tokens", ids: prompt },
    logprobs: logprobs ?? null,
    format: { type: "text" },
  };
}

/** Of a list of prompts, the only one. */
function onePrompt(prompt: unknown): string | readonly number[] {
  const [first, ...more] = Array.isArray(prompt) ? (prompt as readonly unknown[]) : [];
  const one = more.length === 0 && (isText(first) || Array.isArray(first)) ? first : prompt;
  if (isText(one) || isListOf(one, isTokenId)) return one;
  throw invalid("prompt is one text, or its tokens");
}

function shared(request: ChatRequest | CompletionRequest, maxTokens: number | null): Omit<GenerateInput, "prompt" | "logprobs" | "format"> {
  const { n } = request;
  const stop = request.stop ?? [];
  const stops: unknown = typeof stop === "string" ? [stop] : stop;
  if (!isListOf(stops, isText)) throw invalid("stop is a text, or a list of them");
  if (!stops.every((text) => text.isWellFormed())) throw invalid("stop has half a character, which no text has");
  if (request.logit_bias != null && (!isObject(request.logit_bias) || Array.isArray(request.logit_bias))) throw invalid("logit_bias maps tokens to numbers");
  return { kind: "generate", sampling: sampling(request), maxTokens, stop: stops, choices: n ?? 1, hold: null };
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

function plainMessage(message: Message, at: number): ChatMessage {
  if (!isObject(message) || !isText(message.role)) throw invalid(`messages[${at}] has no role`);
  const { role, content, name, tool_calls, tool_call_id } = message;
  for (const [field, value] of [["name", name], ["tool_call_id", tool_call_id]] as const) if (value != null && !isText(value)) throw invalid(`messages[${at}].${field} is a text`);
  if (tool_calls != null && !isListOf(tool_calls, isCall)) throw invalid(`messages[${at}].tool_calls is a list of calls, each with its function's name and arguments`);
  return { role: ROLES[role] ?? role, content: textOf(content), ...(name != null && { name }), ...(tool_calls && { tool_calls }), ...(tool_call_id != null && { tool_call_id }) };
}

/** OpenAI's newer names, as templates have them. */
const ROLES: Readonly<Record<string, string | undefined>> = { developer: "system" };

function textOf(content: Message["content"]): string {
  if (content == null) return "";
  if (isText(content)) return content;
  if (!isListOf(content, isObject)) throw invalid("A message's content is a text, or a list of parts");
  return content
    .map((part) => {
      const text = part.type === "text" ? part.text : part.type === "refusal" ? part.refusal : null;
      if (!isText(text)) throw invalid(`A message's content may have parts of text only, not "${String(part.type)}"`);
      return text;
    })
    .join("");
}

function checkedTools(tools: unknown): readonly Tool[] {
  if (!isListOf(tools, isTool)) throw invalid("tools is a list of functions, each with its name");
  return tools;
}

function toolChoice(choice: unknown, tools: readonly Tool[]): ToolChoice {
  if (choice == null) return "auto";
  if (choice === "none" || choice === "auto") return choice;
  if (tools.length === 0) throw invalid("tool_choice asks for a call, and there are no tools");
  if (choice === "required") return choice;
  if (!isTool(choice)) throw invalid('tool_choice is "none", "auto", "required", or a function by its name');
  return { name: choice.function.name };
}

function responseFormat(format: ChatRequest["response_format"]): ResponseFormat {
  if (format == null) return { type: "text" };
  if (format.type === "json_schema") {
    if (format.json_schema?.schema === undefined) throw invalid("response_format.json_schema has no schema");
    return { type: "json_schema", schema: format.json_schema.schema };
  }
  if (format.type !== "text" && format.type !== "json_object") throw invalid('response_format.type is "text", "json_object" or "json_schema"');
  return { type: format.type };
}

/** Fields of OpenAI's that change nothing about the answer. */
const TAKEN: ReadonlySet<string> = new Set(["user", "store", "metadata", "service_tier", "safety_identifier", "prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"]);

interface Fields {
  readonly kept: ReadonlySet<string>;
  /** Those that would change the answer, and what they may be all the same. */
  readonly unkept: Readonly<Record<string, readonly unknown[]>>;
}

type Kept<Request> = Readonly<Record<keyof Request, true>>;
const KEPT_BY_BOTH = {
  model: true, max_tokens: true, temperature: true, top_p: true, top_k: true, min_p: true, repetition_penalty: true, frequency_penalty: true, presence_penalty: true,
  logit_bias: true, seed: true, stop: true, n: true, stream: true, stream_options: true, logprobs: true,
} as const;
const KEPT_IN_CHATS: Kept<ChatRequest> = { ...KEPT_BY_BOTH, messages: true, max_completion_tokens: true, top_logprobs: true, response_format: true, tools: true, parallel_tool_calls: true, tool_choice: true };
const KEPT_IN_COMPLETIONS: Kept<CompletionRequest> = { ...KEPT_BY_BOTH, prompt: true };

const OF_CHATS: Fields = {
  kept: new Set(Object.keys(KEPT_IN_CHATS)),
  unkept: { functions: [], function_call: [], audio: [], modalities: [["text"]], web_search_options: [], moderation: [], reasoning_effort: ["none"], verbosity: ["medium"] },
};
const OF_COMPLETIONS: Fields = { kept: new Set(Object.keys(KEPT_IN_COMPLETIONS)), unkept: { echo: [false], suffix: [""], best_of: [1] } };

function judge(request: object, { kept, unkept }: Fields): void {
  for (const [field, value] of Object.entries(request)) {
    if (value === undefined || kept.has(field) || TAKEN.has(field)) continue;
    const harmless = Object.hasOwn(unkept, field) ? unkept[field] : undefined;
    if (!harmless) throw invalid(`Unrecognized request argument supplied: ${field}`);
    if (value !== null && !harmless.some((own) => JSON.stringify(own) === JSON.stringify(value))) throw invalid(`${field} is not supported`);
  }
}

const invalid = (what: string): LeaseholdError => new LeaseholdError("invalid-request", `${what}.`);
const isTokenId = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isTool = (value: unknown): value is Tool => isObject(value) && "function" in value && isObject(value.function) && "name" in value.function && isText(value.function.name);
const isCall = (value: unknown): value is ToolCall => isTool(value) && "arguments" in value.function && isText(value.function.arguments);
