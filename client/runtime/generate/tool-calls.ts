/**
 * Tool calls in a model's text, as its family writes them (`tool-dialects.ts`).
 *
 * - A call that has begun is held to the tools' names and their arguments' schemas; what a tool's schema can't be held
 *   to is refused before anything is generated.
 * - Text around the calls is the answer's content; blanks between calls are not.
 * - Beside a format an answer is calls or a text of that format, from its first letter on. What may be either is held
 *   back until it is one of them; what is both in the end is a call.
 * - A call that was cut off is left out.
 */
import { LeaseholdError } from "../../errors.ts";
import { Automaton, DEAD, type State } from "../constrain/automaton.ts";
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
  /** What the answer may be instead: a text of a format. */
  readonly instead: Rule | null;
}

/** The rule of what comes after the opening marker. */
export function toolCallRule(tools: readonly Tool[], { form, given }: Dialect, { close }: Markers, isSingle: boolean): Rule {
  const space = choice(NOTHING, literal(" "));
  const options = tools.map(({ function: { name, parameters } }) => {
    const schema = parameters == null ? ANY_OBJECT : readSchema(parameters);
    return sequence(literal(JSON.stringify(name)), literal(","), space, literal(`"${given}":`), space, jsonRule(schema), literal("}"));
  });
  const call = sequence(literal('{"name":'), space, choice(...options));
  const line = choice(NOTHING, literal("\n"));
  if (form === "one") return close ? sequence(line, call, line, close.rule) : sequence(space, call);
  const more: Rule = isSingle ? literal("]") : choice(literal("]"), sequence(literal(","), space, call, lazy(() => more)));
  return sequence(space, literal("["), call, more);
}

/** Of a whole answer that is held from its first letter on. `called`: what comes after the opening marker. */
export function wholeAnswerRule(called: Rule, { form, isBare }: Dialect, { open, close }: Markers, { isSingle, instead }: Calling): Rule {
  const marked = sequence(open.rule, called);
  if (!instead) return isBare ? called : marked;
  const more: Rule = choice(NOTHING, sequence(choice(NOTHING, literal("\n")), marked, lazy(() => more)));
  const calls = form === "one" && close && !isSingle ? sequence(marked, more) : marked;
  return isBare ? choice(instead, calls, called) : choice(instead, calls);
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
  /** Of text that may be a call or not; null once that is known. */
  #question: Question | null;
  #buffer = "";
  #isInside = false;
  #isText = false;
  #hasBegun = false;
  #count = 0;

  constructor(dialect: Dialect, markers: Markers, calling: Calling, constraint: Constraint) {
    this.#dialect = dialect;
    this.#markers = markers;
    this.#calling = calling;
    this.#constraint = constraint;
    this.#question = dialect.isBare && calling.instead ? new Question(constraint.automaton, new Automaton(calling.instead)) : null;
  }

  get hasCalls(): boolean {
    return this.#count > 0;
  }

  /** Whether what comes is of a call, and no content. */
  get isInside(): boolean {
    return this.#isInside;
  }

  /** Characters that are held back, and may become content. */
  get held(): number {
    return this.#isInside ? 0 : this.#buffer.length;
  }

  /** All calls that were asked for are there. */
  get isDone(): boolean {
    return this.#calling.isSingle && this.hasCalls;
  }

  /** A token, and the text that came of it. */
  push(token: number | null, text: string): Read {
    const { open, close } = this.#markers;
    if (this.#isText) return { content: text, calls: [] };
    this.#buffer += text;
    let content = "";
    const calls: ToolCall[] = [];
    let constraint: ConstrainedText | null | undefined;
    for (let isMarker = token !== null && (token === open.id || token === close?.id); ; isMarker = false) {
      const marker = this.#isInside ? close : open;
      const at = isMarker && token === marker?.id ? this.#buffer.length : marker && marker.id === null ? this.#placeOf(marker.text) : -1;
      if (at < 0 || !marker) break;
      const before = this.#buffer.slice(0, at);
      this.#buffer = this.#buffer.slice(marker.id === null ? at + marker.text.length : at);
      if (this.#isInside) {
        calls.push(...this.#callsIn(before));
        constraint = this.#isHeld ? undefined : null;
      } else {
        content += before;
        constraint = this.#begin();
      }
      this.#isInside = !this.#isInside;
    }
    if (this.#isInside) this.#question = null;
    const kind = this.#question?.ask(text);
    if (kind === "call") this.#isInside = true;
    if (kind === "call" || kind === "text") this.#question = null;
    if (!this.#isInside && !this.#calling.instead && this.#isBareCall()) {
      constraint = this.#begin();
      this.#isInside = this.#calling.isForced || constraint !== null;
    }
    if (!this.#isInside) {
      const held = this.#question ? this.#buffer.length : this.#heldLength();
      content += this.#buffer.slice(0, this.#buffer.length - held);
      this.#buffer = this.#buffer.slice(this.#buffer.length - held);
    }
    this.#hasBegun ||= content.trim() !== "" || this.#isInside;
    if (this.#calling.instead && content.trim() !== "") {
      this.#isText = true;
      content += this.#buffer;
      this.#buffer = "";
    }
    return { content: this.hasCalls && content.trim() === "" ? "" : content, calls, constraint };
  }

  /** What was held back and begins no call after all; calls that nothing but the answer's end closes. */
  end(isCut: boolean): Read {
    const rest = this.#buffer;
    this.#buffer = "";
    if (!isCut && this.#question?.isCall) return { content: "", calls: this.#callsIn(rest) };
    if (!this.#isInside) return { content: rest, calls: [] };
    const { close } = this.#markers;
    const isOpen = close !== null && !(close.id === null && rest.includes(close.text));
    return { content: "", calls: isCut || isOpen ? [] : this.#callsIn(rest) };
  }

  /** Where the marker stands that is spelled so; the same letters in a JSON string are none. */
  #placeOf(marker: string): number {
    for (let at = this.#buffer.indexOf(marker); at >= 0; at = this.#buffer.indexOf(marker, at + 1)) {
      const before = this.#buffer.slice(0, at);
      if (this.#isInside ? parsed(before) !== undefined : !this.#calling.instead || before.trim() === "") return at;
    }
    return -1;
  }

  /**
   * An answer that is held from its first letter goes on by the same rule. Null where the token that opened the
   * call went on in a way of its own: then it is read as it comes.
   */
  #begin(): ConstrainedText | null | undefined {
    if (this.#isHeld) return undefined;
    const begun = this.#constraint.begin();
    return begun.take(new TextEncoder().encode(this.#buffer)) ? begun : null;
  }

  get #isHeld(): boolean {
    return this.#calling.isForced || this.#calling.instead !== null;
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

/** Whether a text that fits both is a call or something else. */
class Question {
  readonly #call: Automaton;
  readonly #other: Automaton;
  #asCall: State;
  #asOther: State;

  constructor(call: Automaton, other: Automaton) {
    this.#call = call;
    this.#other = other;
    this.#asCall = call.start;
    this.#asOther = other.start;
  }

  /** With what comes next; "open" where it may still be either. */
  ask(text: string): "call" | "text" | "open" {
    const bytes = new TextEncoder().encode(text);
    this.#asCall = this.#call.walk(this.#asCall, bytes);
    this.#asOther = this.#other.walk(this.#asOther, bytes);
    return this.#asCall === DEAD ? "text" : this.#asOther === DEAD ? "call" : "open";
  }

  /** Whether it is one as it stands. */
  get isCall(): boolean {
    return this.#asCall.mayEnd;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a call that was not held to the rule: said by whoever looks for its name
  }
}
