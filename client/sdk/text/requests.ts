/** From OpenAI's requests to what the runtime takes. Pure. What can't be kept is `invalid-request`, naming the field. */
import { LeaseholdError } from "../../errors.ts";
import type { ChatMessage, GenerateInput, ResponseFormat, SamplingWish, Tool, ToolCall, ToolChoice } from "../../runtime/tasks/text-generation/request.ts";
import type { ChatRequest, CompletionRequest, Message } from "./openai.ts";
import { isListOf, isObject, isText } from "./values.ts";

export function chatInput(request: ChatRequest): GenerateInput {
  const { messages, logprobs, top_logprobs: top, max_completion_tokens: most } = request;
  if (!Array.isArray(messages)) throw invalid("messages is a list");
  if (top != null && !logprobs) throw invalid("top_logprobs needs logprobs: true");
  refuse(request, UNKEPT_IN_CHATS);
  const tools = checkedTools(request.tools ?? []);
  return {
    ...shared(request, most ?? request.max_tokens ?? null),
    prompt: { kind: "chat", messages: messages.map(plainMessage), tools, toolChoice: toolChoice(request.tool_choice, tools), isParallel: request.parallel_tool_calls ?? true },
    logprobs: logprobs ? (top ?? 0) : null,
    format: responseFormat(request.response_format),
  };
}

export function completionInput(request: CompletionRequest): GenerateInput {
  const { prompt, logprobs, max_tokens: most } = request;
  refuse(request, UNKEPT_IN_COMPLETIONS);
  if (typeof prompt !== "string" && !(Array.isArray(prompt) && prompt.every((id) => Number.isSafeInteger(id) && id >= 0))) throw invalid("prompt is one text, or its tokens");
  return {
    ...shared(request, most ?? 16), // OpenAI's limit where a completion states none
    prompt: typeof prompt === "string" ? { kind: "text", text: prompt } : { kind: "tokens", ids: prompt },
    logprobs: logprobs ?? null,
    format: { type: "text" },
  };
}

function shared(request: ChatRequest | CompletionRequest, maxTokens: number | null): Omit<GenerateInput, "prompt" | "logprobs" | "format"> {
  const { n } = request;
  const stop = request.stop ?? [];
  const stops: unknown = typeof stop === "string" ? [stop] : stop;
  if (!isListOf(stops, isText)) throw invalid("stop is a text, or a list of them");
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
  if (tool_calls != null && !isListOf(tool_calls, isCall)) throw invalid(`messages[${at}].tool_calls is a list of calls, each with its function's name and arguments`);
  return { role, content: textOf(content), ...(name !== undefined && { name }), ...(tool_calls && { tool_calls }), ...(tool_call_id !== undefined && { tool_call_id }) };
}

function textOf(content: Message["content"]): string {
  if (content == null) return "";
  if (isText(content)) return content;
  if (!isListOf(content, isObject)) throw invalid("A message's content is a text, or a list of parts");
  return content
    .map((part) => {
      if (part.type !== "text" || !isText(part.text)) throw invalid(`A message's content may have parts of the type "text" only, not "${String(part.type)}"`);
      return part.text;
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

/** Fields of OpenAI's that would change the answer, and what they may be all the same. */
const UNKEPT_IN_CHATS: Unkept = { functions: [], function_call: [], audio: [], modalities: [["text"]], web_search_options: [] };
const UNKEPT_IN_COMPLETIONS: Unkept = { echo: [false], suffix: [""], best_of: [1] };
type Unkept = Readonly<Record<string, readonly unknown[]>>;

function refuse(request: object, fields: Unkept): void {
  for (const [field, value] of Object.entries(request)) {
    const harmless = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (harmless && value != null && !harmless.some((own) => JSON.stringify(own) === JSON.stringify(value))) throw invalid(`${field} is not supported`);
  }
}

const invalid = (what: string): LeaseholdError => new LeaseholdError("invalid-request", `${what}.`);
const isTool = (value: unknown): value is Tool => isObject(value) && "function" in value && isObject(value.function) && "name" in value.function && isText(value.function.name);
const isCall = (value: unknown): value is ToolCall => isTool(value) && "arguments" in value.function && isText(value.function.arguments);
