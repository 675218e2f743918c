/** From what the runtime tells of a generation to OpenAI's chunks and whole answers. Pure. */
import type { ChosenToken, GenerateEvent, TokenChance } from "../../runtime/tasks/text-generation/request.ts";
import type { Account, Chance, ChatChunk, ChatCompletion, Completion, CompletionLogprobs, FinishReason, FunctionCall, Logprobs, Usage } from "./openai.ts";

/** What the runtime tells that an answer is made of. */
export type AnswerEvent = Exclude<GenerateEvent, { kind: "began" | "count" }>;

export interface Head {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  /** Of a chunk that another one with the usage comes after. */
  readonly usage?: null;
}

export interface Closing {
  readonly usage: Usage;
  readonly account: Account;
}

/** One choice, as it comes together. */
interface Choice {
  text: string;
  readonly tokens: ChosenToken[];
  readonly calls: FunctionCall[];
  reason: FinishReason;
}

export class Gathered {
  readonly choices: Choice[] = [];

  add(event: AnswerEvent): void {
    const choice = (this.choices[event.choice] ??= { text: "", tokens: [], calls: [], reason: "stop" });
    if (event.kind === "ended") choice.reason = event.reason;
    else if (event.kind === "tool-call") choice.calls.push(event.call);
    else {
      choice.text += event.text;
      choice.tokens.push(...event.tokens);
    }
  }
}

export function chatCompletion(head: Head, gathered: Gathered, withLogprobs: boolean, { usage, account }: Closing): ChatCompletion {
  return {
    ...head,
    object: "chat.completion",
    choices: gathered.choices.map(({ text, tokens, calls, reason }, index) => ({
      index,
      message: { role: "assistant", content: text === "" && calls.length > 0 ? null : text, refusal: null, ...(calls.length > 0 && { tool_calls: calls }) },
      logprobs: withLogprobs ? logprobs(tokens) : null,
      finish_reason: reason,
    })),
    usage,
    leasehold: account,
  };
}

/** The chunks of one event. The first of each choice brings its role. */
export function chatChunks(head: Head, event: AnswerEvent, begun: Set<number>): ChatChunk[] {
  const chunk = (delta: ChatChunk["choices"][number]["delta"], reason: FinishReason | null = null, tokens: readonly ChosenToken[] = []): ChatChunk => ({
    ...head,
    object: "chat.completion.chunk",
    choices: [{ index: event.choice, delta, logprobs: tokens.length > 0 ? logprobs(tokens) : null, finish_reason: reason }],
  });
  const opening = begun.has(event.choice) ? [] : [chunk({ role: "assistant", content: "" })];
  begun.add(event.choice);
  switch (event.kind) {
    case "piece":
      return [...opening, chunk({ content: event.text }, null, event.tokens)];
    case "tool-call":
      return [...opening, chunk({ tool_calls: [{ index: event.index, ...event.call }] })];
    case "ended":
      return [...opening, chunk({}, event.reason)];
  }
}

/** The last chunks: of what ended last, and where that was asked for one of usage alone. The very last says where it ran. */
function closingOf<Chunk extends { readonly leasehold?: Account }>(ended: Chunk | null, alone: Chunk, { usage, account }: Closing, withUsage: boolean): readonly Chunk[] {
  if (ended && !withUsage) return [{ ...ended, leasehold: account }];
  return [...(ended ? [ended] : []), { ...alone, ...(withUsage && { usage }), leasehold: account }];
}

export const chatClosing = (head: Head, closing: Closing, ended: ChatChunk | null, withUsage: boolean): readonly ChatChunk[] =>
  closingOf(ended, { ...head, object: "chat.completion.chunk", choices: [] }, closing, withUsage);

export function completion(head: Head, gathered: Gathered, withLogprobs: boolean, { usage, account }: Closing): Completion {
  return {
    ...head,
    object: "text_completion",
    choices: gathered.choices.map(({ text, tokens, reason }, index) => ({ index, text, logprobs: withLogprobs ? flatLogprobs(tokens) : null, finish_reason: reason })),
    usage,
    leasehold: account,
  };
}

export function completionChunks(head: Head, event: AnswerEvent): Completion[] {
  if (event.kind === "tool-call") return [];
  const [text, tokens, reason] = event.kind === "piece" ? [event.text, event.tokens, null] : ["", [], event.reason];
  return [{ ...head, object: "text_completion", choices: [{ index: event.choice, text, logprobs: tokens.length > 0 ? flatLogprobs(tokens) : null, finish_reason: reason }] }];
}

export const completionClosing = (head: Head, closing: Closing, ended: Completion | null, withUsage: boolean): readonly Completion[] =>
  closingOf(ended, { ...head, object: "text_completion", choices: [] }, closing, withUsage);

const chance = ({ text, bytes, logprob }: TokenChance): Chance => ({ token: text, logprob, bytes });
const logprobs = (tokens: readonly ChosenToken[]): Logprobs => ({ content: tokens.map((token) => ({ ...chance(token), top_logprobs: token.top.map(chance) })), refusal: null });
/** A token that is part of a character goes by its bytes, as OpenAI has it: two of them are not one name. */
function nameOf({ text, bytes }: TokenChance): string {
  const isWhole = !text.includes("\ufffd") || String(new TextEncoder().encode(text)) === String(bytes);
  return isWhole ? text : `bytes:${bytes.map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}`;
}
const flatLogprobs = (tokens: readonly ChosenToken[]): CompletionLogprobs => ({
  tokens: tokens.map(nameOf),
  token_logprobs: tokens.map(({ logprob }) => logprob),
  top_logprobs: tokens.map(({ top }) => Object.fromEntries(top.map((one) => [nameOf(one), one.logprob]))),
  text_offset: tokens.map(({ at }) => at),
});
