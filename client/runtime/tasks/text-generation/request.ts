/**
 * What the page asks of a text model, and what comes back: plain data, for both realms.
 *
 * - `measure` counts a prompt's tokens and checks all that can be checked before anything is held or generated.
 * - Events come in order; a choice's pieces joined are its text. `Note`s go the other way while a call runs.
 * - Tokens that no text tells of are told by counts, every few of them. A call that has used up its hold says so by one
 *   (`isOut`), and waits for a note.
 */

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly name?: string;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly ToolCall[];
}

export interface ToolCall {
  readonly id: string;
  readonly type: "function";
  /** `arguments` is JSON text, as OpenAI has it. */
  readonly function: { readonly name: string; readonly arguments: string };
}

export interface Tool {
  readonly type: "function";
  readonly function: { readonly name: string; readonly description?: string; readonly parameters?: unknown };
}

export type ToolChoice = "none" | "auto" | "required" | { readonly name: string };

export type Prompt =
  | { readonly kind: "chat"; readonly messages: readonly ChatMessage[]; readonly tools: readonly Tool[]; readonly toolChoice: ToolChoice; /** Several calls in one answer. */ readonly isParallel: boolean }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "tokens"; readonly ids: readonly number[] };

/** Left out: what the model's `generation_config.json` says. */
export interface SamplingWish {
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
  readonly logitBias?: Readonly<Record<string, number>>;
  readonly seed?: number;
}

export type ResponseFormat = { readonly type: "text" } | { readonly type: "json_object" } | { readonly type: "json_schema"; readonly schema: unknown };

export interface GenerateInput {
  readonly kind: "measure" | "generate";
  readonly prompt: Prompt;
  readonly sampling: SamplingWish;
  /** Of each choice; null: as many as fit. */
  readonly maxTokens: number | null;
  readonly stop: readonly string[];
  readonly choices: number;
  /** How many alternatives a token's logprobs list; null: no logprobs. */
  readonly logprobs: number | null;
  readonly format: ResponseFormat;
  /** Tokens that may be used, prompt and answers together; null: no limit. */
  readonly hold: number | null;
}

export interface TokenChance {
  readonly text: string;
  readonly bytes: readonly number[];
  readonly logprob: number;
}

export interface ChosenToken extends TokenChance {
  /** Where it begins, in characters from the prompt's beginning; in a chat, from the answer's. */
  readonly at: number;
  readonly top: readonly TokenChance[];
}

export type GenerateEvent =
  | { readonly kind: "began"; readonly promptTokens: number; readonly cachedTokens: number }
  /** `outputTokens`: of all choices so far. */
  | { readonly kind: "piece"; readonly choice: number; readonly text: string; readonly tokens: readonly ChosenToken[]; readonly outputTokens: number }
  | { readonly kind: "tool-call"; readonly choice: number; readonly index: number; readonly call: ToolCall; readonly outputTokens: number }
  | { readonly kind: "count"; readonly outputTokens: number; readonly isOut: boolean }
  | { readonly kind: "ended"; readonly choice: number; readonly reason: FinishReason; readonly why: StopCode };

/** "hold": a larger hold takes the place of the one before; "no-more": none will. */
export type GenerateNote = { readonly kind: "hold"; readonly tokens: number } | { readonly kind: "no-more" };

export type FinishReason = "stop" | "length" | "tool_calls";
/** What ended an answer, more precisely. */
export type StopCode = "end-token" | "stop-string" | "complete" | "tool-calls" | "max-tokens" | "context-length-exceeded" | "hold-used-up";

export interface GenerateOutput {
  readonly promptTokens: number;
  /** Prompt tokens that were computed for an earlier call. */
  readonly cachedTokens: number;
  readonly outputTokens: number;
  /** The most tokens that prompt and answer may have together. */
  readonly contextLength: number;
  readonly ttftMs: number | null;
  /** Between the first token and the last. */
  readonly tokensPerSecond: number | null;
}
