/**
 * The shapes of OpenAI's API that text calls take and give, as far as they are kept here. Types only.
 *
 * - Field by field the names and meanings are OpenAI's; `top_k`, `min_p`, `repetition_penalty` are those of the model
 *   world besides. `leasehold` tells what OpenAI has no field for.
 */
import type { Engine } from "../progress.ts";
import type { StopCode } from "../../runtime/tasks/text-generation/request.ts";

export interface TextPart {
  readonly type: "text";
  readonly text: string;
}

/** Of an answer that declined; read as its text. */
export interface RefusalPart {
  readonly type: "refusal";
  readonly refusal: string;
}

export interface FunctionCall {
  readonly id: string;
  readonly type: "function";
  readonly function: { readonly name: string; readonly arguments: string };
}

export interface Message {
  readonly role: string;
  readonly content?: string | readonly (TextPart | RefusalPart)[] | null;
  readonly name?: string | null;
  readonly tool_calls?: readonly FunctionCall[] | null;
  readonly tool_call_id?: string | null;
}

export interface FunctionTool {
  readonly type: "function";
  readonly function: { readonly name: string; readonly description?: string; readonly parameters?: unknown; readonly strict?: boolean | null };
}

interface SamplingFields {
  readonly model: string;
  readonly max_tokens?: number | null;
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly top_k?: number | null;
  readonly min_p?: number | null;
  readonly repetition_penalty?: number | null;
  readonly frequency_penalty?: number | null;
  readonly presence_penalty?: number | null;
  readonly logit_bias?: Readonly<Record<string, number>> | null;
  readonly seed?: number | null;
  readonly stop?: string | readonly string[] | null;
  readonly n?: number | null;
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean } | null;
}

export interface ChatRequest extends SamplingFields {
  readonly messages: readonly Message[];
  readonly max_completion_tokens?: number | null;
  readonly logprobs?: boolean | null;
  readonly top_logprobs?: number | null;
  readonly response_format?: { readonly type: "text" } | { readonly type: "json_object" } | { readonly type: "json_schema"; readonly json_schema: { readonly name?: string; readonly schema: unknown; readonly strict?: boolean | null } };
  readonly tools?: readonly FunctionTool[];
  /** False: one call at most. */
  readonly parallel_tool_calls?: boolean | null;
  readonly tool_choice?: "none" | "auto" | "required" | { readonly type: "function"; readonly function: { readonly name: string } };
}

export interface CompletionRequest extends SamplingFields {
  /** A text, or its tokens; of a list the only one. */
  readonly prompt: string | readonly number[] | readonly [string] | readonly [readonly number[]];
  readonly logprobs?: number | null;
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  /** Tokens of the prompt that were computed for an earlier call; they count all the same. */
  readonly prompt_tokens_details: { readonly cached_tokens: number };
}

/** Where and how it ran. */
export interface Account extends Engine {
  readonly request_id: string;
  /** More than one where a long answer took several. */
  readonly lease_ids: readonly string[];
  readonly cache: "hit" | "miss";
  readonly ttft_ms: number | null;
  readonly tokens_per_second: number | null;
  /** Of each choice, what ended it. */
  readonly stop_codes: readonly StopCode[];
}

export interface Chance {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[] | null;
}

export interface ChosenChance extends Chance {
  readonly top_logprobs: readonly Chance[];
}

export interface Logprobs {
  readonly content: readonly ChosenChance[];
  readonly refusal: null;
}

export type FinishReason = "stop" | "length" | "tool_calls";

export interface ChatCompletion {
  readonly id: string;
  readonly object: "chat.completion";
  readonly created: number;
  readonly model: string;
  readonly choices: readonly {
    readonly index: number;
    readonly message: { readonly role: "assistant"; readonly content: string | null; readonly refusal: null; readonly tool_calls?: readonly FunctionCall[] };
    readonly logprobs: Logprobs | null;
    readonly finish_reason: FinishReason;
  }[];
  readonly usage: Usage;
  readonly leasehold: Account;
}

export interface ChatChunk {
  readonly id: string;
  readonly object: "chat.completion.chunk";
  readonly created: number;
  readonly model: string;
  readonly choices: readonly {
    readonly index: number;
    readonly delta: { readonly role?: "assistant"; readonly content?: string; readonly tool_calls?: readonly (FunctionCall & { readonly index: number })[] };
    readonly logprobs: Logprobs | null;
    readonly finish_reason: FinishReason | null;
  }[];
  /** Where `include_usage` asks for it: null but in the last chunk. */
  readonly usage?: Usage | null;
  /** In the last chunk. */
  readonly leasehold?: Account;
}

export interface CompletionLogprobs {
  readonly tokens: readonly string[];
  readonly token_logprobs: readonly number[];
  readonly top_logprobs: readonly Readonly<Record<string, number>>[];
  /** Where each token begins, in characters (UTF-16) from the prompt's beginning. */
  readonly text_offset: readonly number[];
}

export interface Completion {
  readonly id: string;
  readonly object: "text_completion";
  readonly created: number;
  readonly model: string;
  readonly choices: readonly { readonly index: number; readonly text: string; readonly logprobs: CompletionLogprobs | null; readonly finish_reason: FinishReason | null }[];
  readonly usage?: Usage | null;
  /** In the whole answer, and in the last part of a streamed one. */
  readonly leasehold?: Account;
}
