/**
 * One answer, token by token: the loop that generation is.
 *
 * - Tokens that end the text, stop strings, finished JSON, the limit, the context and the hold end it, each with its code.
 * - `pick` looks where the logits are before it asks for all of them: a GPU's need not come back.
 * - Tokens count when they are taken; the one that ends the text doesn't.
 * - A token's chance comes with the text that it begins in; with none where that is cut by a stop string, or of a call.
 * - A token is computed only where another one is to follow: the last is not part of the sequence, and a prompt that
 *   goes on from the answer computes it with its own. Where the device has no room for it, the context is full.
 */
import { LeaseholdError } from "../../errors.ts";
import type { Constraint, ConstrainedText } from "../constrain/constraint.ts";
import type { NextToken } from "../decode/decoder.ts";
import type { ScoreRoom, Scores } from "../kernels/scores.ts";
import { isAllowed, logprobsOf, type Sampler } from "../sampling/sampler.ts";
import type { Step } from "../tasks/task.ts";
import type { ChosenToken, FinishReason, StopCode, TokenChance, ToolCall } from "../tasks/text-generation/request.ts";
import type { TextStream } from "../tokenizer/text-stream.ts";
import type { Budget } from "./budget.ts";
import type { Sequence } from "./sequence.ts";
import { StopFinder } from "./stop-strings.ts";
import type { ToolCallReader } from "./tool-calls.ts";

export interface AnswerOptions {
  readonly sequence: Sequence;
  readonly sampler: Sampler;
  /** For logits that can't be looked at where they are. */
  readonly room: ScoreRoom;
  readonly stream: TextStream;
  readonly ends: ReadonlySet<number>;
  readonly stop: readonly string[];
  readonly maxTokens: number;
  readonly logprobs: number | null;
  /** What is added to the places of the tokens in the text. */
  readonly offset: number;
  readonly constraint: Constraint | null;
  readonly tools: ToolCallReader | null;
  readonly budget: Budget;
  readonly spelling: (token: number) => Uint8Array | null;
  readonly onToken: () => void;
  /** What can be shown of the token is. */
  readonly onShown: () => void;
  readonly onPiece: (text: string, tokens: readonly ChosenToken[]) => void;
  readonly onToolCall: (call: ToolCall) => void;
}

export interface Ending {
  readonly reason: FinishReason;
  readonly why: StopCode;
}

/** `first`: what comes after the prompt, whose tokens are the sequence. */
export async function writeAnswer(first: NextToken, options: AnswerOptions, step: Step): Promise<Ending> {
  const { sequence, sampler, stream, ends, maxTokens, budget, tools } = options;
  const stops = new StopFinder(options.stop);
  let held: ConstrainedText | null = options.constraint?.begin() ?? null;
  let waiting: ChosenToken[] = [];
  let last: number | null = null;
  // Characters of content: that came, and that were shown of them.
  let came = options.offset;
  let shown = options.offset;

  const show = (text: string, isWhole = false) => {
    shown += text.length;
    const chosen = isWhole ? waiting : waiting.filter(({ at }) => at < shown);
    if (text === "" && chosen.length === 0) return;
    waiting = isWhole ? [] : waiting.filter(({ at }) => at >= shown);
    options.onPiece(text, chosen);
  };
  const take = ({ content, calls, constraint }: ReturnType<ToolCallReader["push"]>): string => {
    for (const call of calls) options.onToolCall(call);
    if (constraint !== undefined) held = constraint;
    came += content.length;
    if (tools?.isInside || calls.length > 0) waiting = waiting.filter(({ at }) => at < came);
    return content;
  };
  const read = (token: number | null, text: string): string => take(tools ? tools.push(token, text) : { content: text, calls: [] });
  const finish = (reason: FinishReason, why: StopCode): Ending => {
    if (why !== "stop-string") {
      const rest = read(null, stream.end()) + (tools ? take(tools.end(reason === "length")) : "");
      show(stops.push(rest).text + stops.end(), true);
    }
    return reason === "stop" && tools?.hasCalls ? { reason: "tool_calls", why: "tool-calls" } : { reason, why };
  };

  for (let count = 0; ; count++) {
    if (held?.isOver || tools?.isDone) return finish("stop", "complete");
    if (count >= maxTokens) return finish("length", "max-tokens");
    if (!(await budget.isLeft(step))) return finish("length", "hold-used-up");
    const next = last === null ? first : await whereThereIsRoom(sequence.feed([last], step));
    if (!next) return finish("length", "context-length-exceeded");
    const token = await pick(next, sampler, held);
    if (ends.has(token)) return finish("stop", "end-token");

    if (options.logprobs !== null) waiting.push({ ...describe(await scoresOf(next, options.room), token, options.logprobs, options.spelling), at: came + (tools?.held ?? 0) });
    budget.use(1);
    sampler.accept(token);
    held?.accept(token);
    options.onToken();
    const { text, isFound } = stops.push(read(token, stream.push(token)));
    if (isFound) {
      show(text);
      return finish("stop", "stop-string");
    }
    if (text !== "") show(text);
    options.onShown();
    if (sequence.length >= sequence.decoder.contextLength) return finish("length", "context-length-exceeded");
    last = token;
  }
}

async function whereThereIsRoom(fed: Promise<NextToken>): Promise<NextToken | null> {
  try {
    return await fed;
  } catch (error) {
    if (error instanceof LeaseholdError && error.code === "context-length-exceeded") return null;
    throw error;
  }
}

async function pick(next: NextToken, sampler: Sampler, held: ConstrainedText | null): Promise<number> {
  const mask = held?.mask();
  if (sampler.isPlain) {
    const token = await next.greedy();
    if (!mask || isAllowed(mask, token)) return token;
  }
  if (!mask && next.scores) return sampler.nextAmong(await next.scores());
  const count = mask ? 0 : sampler.enough;
  if (count > 0) return sampler.nextOf(await next.top(count));
  return sampler.next(await look(next), mask);
}

const look = async (next: NextToken): Promise<Float32Array> => (await next.scores?.())?.numbers ?? next.view?.() ?? next.logits();
const scoresOf = async (next: NextToken, room: ScoreRoom): Promise<Scores> => next.scores?.() ?? room.load(await look(next));

function describe(scores: Scores, token: number, count: number, spelling: AnswerOptions["spelling"]): Omit<ChosenToken, "at"> {
  const { own, top } = logprobsOf(scores, token, count);
  const chance = ({ token: id, logprob }: { readonly token: number; readonly logprob: number }): TokenChance => {
    const bytes = spelling(id) ?? new Uint8Array(0);
    return { text: new TextDecoder().decode(bytes), bytes: [...bytes], logprob };
  };
  return { ...chance(own), top: top.map(chance) };
}
