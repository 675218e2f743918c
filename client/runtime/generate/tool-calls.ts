/**
 * Tool calls in a model's text, as the Hermes family writes them (Qwen, Hermes, SmolLM3 and others):
 * `<tool_call>{"name": …, "arguments": …}</tool_call>`.
 *
 * - A call that has begun is held to the tools' names and their arguments' schemas; what a tool's schema can't be held
 *   to is refused before anything is generated.
 * - Text around the calls is the answer's content; blanks between calls are not.
 * - A call that was cut off is left out.
 */
import { LeaseholdError } from "../../errors.ts";
import type { ConstrainedText, Constraint } from "../constrain/constraint.ts";
import { ANY_OBJECT, jsonRule } from "../constrain/json-rules.ts";
import { choice, literal, NOTHING, type Rule, sequence } from "../constrain/rules.ts";
import { readSchema } from "../constrain/schema.ts";
import type { Tool, ToolCall, ToolChoice } from "../tasks/text-generation/request.ts";

const OPEN = "<tool_call>";
const CLOSE = "</tool_call>";

/** Whether a chat template teaches this way of calling. */
export const teachesToolCalls = (template: string): boolean => template.includes(OPEN);

/** The rule of what comes after `<tool_call>`. */
export function toolCallRule(tools: readonly Tool[]): Rule {
  const space = choice(NOTHING, literal(" "));
  const options = tools.map(({ function: { name, parameters } }) => {
    const schema = parameters === undefined ? ANY_OBJECT : readSchema(parameters);
    return sequence(literal(JSON.stringify(name)), literal(","), space, literal('"arguments":'), space, jsonRule(schema), literal("}"));
  });
  const line = choice(NOTHING, literal("\n"));
  return sequence(line, literal('{"name":'), space, choice(...options), line, literal(CLOSE));
}

export const wholeToolCallRule = (tools: readonly Tool[]): Rule => sequence(literal(OPEN), toolCallRule(tools));

/** The tools that may be called. */
export function allowedTools(tools: readonly Tool[], wish: ToolChoice): readonly Tool[] {
  if (wish === "none") return [];
  if (typeof wish === "string") return tools;
  const named = tools.filter((tool) => tool.function.name === wish.name);
  if (named.length === 0) throw new LeaseholdError("invalid-request", `tool_choice names "${wish.name}", which is not among the tools.`);
  return named;
}

interface Read {
  readonly content: string;
  readonly calls: readonly ToolCall[];
  /** What the text is held to from now on; absent where that stays as it is. */
  readonly constraint?: ConstrainedText | null;
}

export class ToolCallReader {
  /** A single call was asked for: with it the answer is over. */
  readonly isOneCall: boolean;
  readonly #constraint: Constraint;
  #buffer = "";
  #isInside = false;
  #count = 0;

  constructor(constraint: Constraint, isOneCall: boolean) {
    this.#constraint = constraint;
    this.isOneCall = isOneCall;
  }

  get hasCalls(): boolean {
    return this.#count > 0;
  }

  push(text: string): Read {
    this.#buffer += text;
    let content = "";
    const calls: ToolCall[] = [];
    let constraint: ConstrainedText | null | undefined;
    for (;;) {
      const mark = this.#isInside ? CLOSE : OPEN;
      const at = this.#buffer.indexOf(mark);
      if (at < 0) break;
      const before = this.#buffer.slice(0, at);
      this.#buffer = this.#buffer.slice(at + mark.length);
      if (this.#isInside) {
        calls.push(toolCall(before));
        this.#count++;
        constraint = null;
      } else {
        content += before;
        // One call was asked for: it is held from its first letter, by the same rule.
        if (!this.isOneCall) constraint = this.#begin(this.#buffer);
      }
      this.#isInside = !this.#isInside;
    }
    if (!this.#isInside) {
      const held = heldLength(this.#buffer);
      content += this.#buffer.slice(0, this.#buffer.length - held);
      this.#buffer = this.#buffer.slice(this.#buffer.length - held);
    }
    return { content: this.hasCalls && content.trim() === "" ? "" : content, calls, constraint };
  }

  /** What was held back and begins no call after all. */
  end(): string {
    return this.#isInside ? "" : this.#buffer;
  }

  /** Null where the token that opened the call went on in a way of its own: then it is read as it comes. */
  #begin(text: string): ConstrainedText | null {
    const begun = this.#constraint.begin();
    return begun.take(new TextEncoder().encode(text)) ? begun : null;
  }
}

function toolCall(text: string): ToolCall {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined; // a call that was not held to the rule: below
  }
  const { name, arguments: given } = (value ?? {}) as { name?: unknown; arguments?: unknown };
  if (typeof name !== "string") throw new LeaseholdError("bad-response", "The model called a tool in a way that can't be read. Try again.");
  return { id: `call_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`, type: "function", function: { name, arguments: JSON.stringify(given ?? {}) } };
}

/** How much of the text's end may be the beginning of a call. */
function heldLength(text: string): number {
  for (let length = Math.min(text.length, OPEN.length - 1); length > 0; length--) if (OPEN.startsWith(text.slice(-length))) return length;
  return 0;
}
