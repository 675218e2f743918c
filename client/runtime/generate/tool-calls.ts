/**
 * Tool calls in a model's text, as its family writes them (`tool-dialects.ts`).
 *
 * - A call that has begun is held to the tools' names and their arguments' schemas; what a tool's schema can't be held
 *   to is refused before anything is generated.
 * - Text around the calls is the answer's content; blanks between calls are not.
 * - A call that was cut off is left out.
 */
import { LeaseholdError } from "../../errors.ts";
import type { ConstrainedText, Constraint } from "../constrain/constraint.ts";
import { ANY_OBJECT, jsonRule } from "../constrain/json-rules.ts";
import { choice, lazy, literal, NOTHING, type Rule, sequence } from "../constrain/rules.ts";
import { readSchema } from "../constrain/schema.ts";
import type { Tool, ToolCall, ToolChoice } from "../tasks/text-generation/request.ts";
import type { Dialect, Markers } from "./tool-dialects.ts";

/** How calls may come in one answer. */
export interface Calling {
  /** A call comes for certain, and from the first letter. */
  readonly isForced: boolean;
  /** One call at most. */
  readonly isSingle: boolean;
}

/** The rule of what comes after the opening marker. */
export function toolCallRule(tools: readonly Tool[], { form, given }: Dialect, { close }: Markers, isSingle: boolean): Rule {
  const space = choice(NOTHING, literal(" "));
  const options = tools.map(({ function: { name, parameters } }) => {
    const schema = parameters === undefined ? ANY_OBJECT : readSchema(parameters);
    return sequence(literal(JSON.stringify(name)), literal(","), space, literal(`"${given}":`), space, jsonRule(schema), literal("}"));
  });
  const call = sequence(literal('{"name":'), space, choice(...options));
  const line = choice(NOTHING, literal("\n"));
  if (form === "one") return close ? sequence(line, call, line, close.rule) : sequence(space, call);
  const more: Rule = isSingle ? literal("]") : choice(literal("]"), sequence(literal(","), space, call, lazy(() => more)));
  return sequence(space, literal("["), call, more);
}

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
  readonly #dialect: Dialect;
  readonly #markers: Markers;
  readonly #calling: Calling;
  readonly #constraint: Constraint;
  #buffer = "";
  #isInside = false;
  #hasBegun = false;
  #count = 0;

  constructor(dialect: Dialect, markers: Markers, calling: Calling, constraint: Constraint) {
    this.#dialect = dialect;
    this.#markers = markers;
    this.#calling = calling;
    this.#constraint = constraint;
  }

  get hasCalls(): boolean {
    return this.#count > 0;
  }

  /** Whether what comes is of a call, and no content. */
  get isInside(): boolean {
    return this.#isInside;
  }

  /** All calls that were asked for are there. */
  get isDone(): boolean {
    return this.#calling.isSingle && this.hasCalls;
  }

  /** A token, and the text that came of it. */
  push(token: number | null, text: string): Read {
    const { open, close } = this.#markers;
    this.#buffer += text;
    let content = "";
    const calls: ToolCall[] = [];
    let constraint: ConstrainedText | null | undefined;
    for (let isMarker = token !== null && (token === open.id || token === close?.id); ; isMarker = false) {
      const marker = this.#isInside ? close : open;
      const at = isMarker && token === marker?.id ? this.#buffer.length : marker && marker.id === null ? this.#buffer.indexOf(marker.text) : -1;
      if (at < 0 || !marker) break;
      const before = this.#buffer.slice(0, at);
      this.#buffer = this.#buffer.slice(marker.id === null ? at + marker.text.length : at);
      if (this.#isInside) {
        calls.push(...this.#callsIn(before));
        constraint = null;
      } else {
        content += before;
        constraint = this.#begin();
      }
      this.#isInside = !this.#isInside;
    }
    if (!this.#isInside && this.#isBareCall()) {
      constraint = this.#begin();
      this.#isInside = this.#calling.isForced || constraint !== null;
    }
    if (!this.#isInside) {
      const held = this.#heldLength();
      content += this.#buffer.slice(0, this.#buffer.length - held);
      this.#buffer = this.#buffer.slice(this.#buffer.length - held);
    }
    this.#hasBegun ||= content.trim() !== "" || this.#isInside;
    return { content: this.hasCalls && content.trim() === "" ? "" : content, calls, constraint };
  }

  /** What was held back and begins no call after all; calls that nothing but the answer's end closes. */
  end(isCut: boolean): Read {
    const rest = this.#buffer;
    this.#buffer = "";
    if (!this.#isInside) return { content: rest, calls: [] };
    return { content: "", calls: isCut || this.#markers.close ? [] : this.#callsIn(rest) };
  }

  /**
   * Where a call was asked for it is held from its first letter, by the same rule. Null where the token that opened the
   * call went on in a way of its own: then it is read as it comes.
   */
  #begin(): ConstrainedText | null | undefined {
    if (this.#calling.isForced) return undefined;
    const begun = this.#constraint.begin();
    return begun.take(new TextEncoder().encode(this.#buffer)) ? begun : null;
  }

  #isBareCall(): boolean {
    return this.#dialect.isBare && !this.#hasBegun && this.#buffer.trimStart().startsWith("{");
  }

  #callsIn(text: string): ToolCall[] {
    const { form, given, callId } = this.#dialect;
    const value = parsed(text);
    const found = form === "list" && Array.isArray(value) ? value : [value];
    this.#count += found.length;
    return found.map((call: unknown) => {
      const { name, [given]: args } = (call ?? {}) as Readonly<Record<string, unknown>>;
      if (typeof name !== "string") throw new LeaseholdError("bad-response", "The model called a tool in a way that can't be read. Try again.");
      return { id: callId(), type: "function", function: { name, arguments: JSON.stringify(args ?? {}) } };
    });
  }

  /** How much of the text's end may be the beginning of a call. */
  #heldLength(): number {
    const { open } = this.#markers;
    if (open.id !== null) return 0;
    for (let length = Math.min(this.#buffer.length, open.text.length - 1); length > 0; length--) if (open.text.startsWith(this.#buffer.slice(-length))) return length;
    return 0;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a call that was not held to the rule: said by whoever looks for its name
  }
}
