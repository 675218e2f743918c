/**
 * Reads a regular expression as ECMA-262 has them, in Unicode mode. Pure.
 *
 * - What is no regular expression in JavaScript is refused first, by JavaScript itself. One that is none in Unicode mode
 *   (needless escapes) is read as that mode would, were it let through.
 * - Refused: what looks back (`\b`, lookbehind, references to groups), letters of either case (`(?i:…)`), and what is so
 *   long or so deep, or names so many properties, that reading it would take seconds.
 */
import { ALL_CHARS, type CharSet, charsOf, charsWhere, complement, range, spellable, union, without } from "./char-set.ts";

export type Pattern =
  | { readonly kind: "chars"; readonly set: CharSet }
  | { readonly kind: "sequence"; readonly items: readonly Pattern[] }
  | { readonly kind: "choice"; readonly options: readonly Pattern[] }
  | { readonly kind: "repeat"; readonly item: Pattern; readonly min: number; readonly max: number }
  | { readonly kind: "start" }
  | { readonly kind: "end" }
  | { readonly kind: "ahead"; readonly item: Pattern; readonly isNegative: boolean };

export type Refuse = (why: string) => Error;

const DIGITS = range(0x30, 0x39);
const WORD = union(DIGITS, range(0x41, 0x5a), range(0x61, 0x7a), charsOf("_"));
const SPACES = union(charsOf("\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff"), range(0x2000, 0x200a));
const CLASSES: Readonly<Record<string, CharSet>> = { d: DIGITS, D: complement(DIGITS), w: WORD, W: complement(WORD), s: SPACES, S: complement(SPACES) };
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };
const DOT = without(ALL_CHARS, charsOf("\n\r\u2028\u2029"));
const QUANTIFIER = /^(?:[*+?]|\{(\d+)(,?)(\d*)\})\??/;

const MOST_LETTERS = 10_000;
const MOST_DEPTH = 200;
/** Each takes a tenth of a second when it is first named. */
const MOST_PROPERTIES = 16;

export function parsePattern(source: string, refuse: Refuse): Pattern {
  if (source.length > MOST_LETTERS) throw refuse(`a pattern of more than ${MOST_LETTERS} letters is not supported`);
  if (new Set(source.match(/\\p\{[^}]*\}/gi)).size > MOST_PROPERTIES) throw refuse(`a pattern that names more than ${MOST_PROPERTIES} properties is not supported`);
  if (!isPattern(source, "u") && !isPattern(source, "")) throw refuse(`"${source}" is not a regular expression`);
  return new Parser(source, refuse).all();
}

function isPattern(source: string, flags: string): boolean {
  try {
    RegExp(source, flags);
    return true;
  } catch {
    return false; // that is the question
  }
}

class Parser {
  readonly #source: string;
  readonly #refuse: Refuse;
  #at = 0;
  #depth = 0;

  constructor(source: string, refuse: Refuse) {
    this.#source = source;
    this.#refuse = refuse;
  }

  all(): Pattern {
    const options = [this.#sequence()];
    while (this.#take("|")) options.push(this.#sequence());
    return options.length === 1 && options[0] ? options[0] : { kind: "choice", options };
  }

  #sequence(): Pattern {
    const items: Pattern[] = [];
    while (this.#at < this.#source.length && !this.#isNext("|") && !this.#isNext(")")) items.push(this.#quantified(this.#item()));
    return { kind: "sequence", items };
  }

  #quantified(item: Pattern): Pattern {
    const [text, least, comma, most] = QUANTIFIER.exec(this.#source.slice(this.#at)) ?? [];
    if (text === undefined) return item;
    this.#at += text.length;
    const min = least === undefined ? (text.startsWith("+") ? 1 : 0) : Number(least);
    const max = least === undefined ? (text.startsWith("?") ? 1 : Infinity) : comma === "" ? min : most === "" ? Infinity : Number(most);
    return { kind: "repeat", item, min, max };
  }

  #item(): Pattern {
    const char = this.#char();
    switch (char) {
      case "^":
        return { kind: "start" };
      case "$":
        return { kind: "end" };
      case ".":
        return { kind: "chars", set: DOT };
      case "(":
        return this.#group();
      case "[":
        return { kind: "chars", set: this.#class() };
      case "\\":
        return { kind: "chars", set: this.#escape(false) };
      default:
        return { kind: "chars", set: spellable(charsOf(char)) };
    }
  }

  #group(): Pattern {
    const [opening] = /^\?(?:[:=!]|<[=!]|<[^>]*>|[^:]*:)/.exec(this.#source.slice(this.#at)) ?? [];
    if (opening?.startsWith("?<=") || opening?.startsWith("?<!")) throw this.#refuse(`"(${opening}" in a pattern looks back, which is not supported`);
    const isPlain = opening === undefined || opening === "?:" || opening.startsWith("?<");
    if (!isPlain && opening !== "?=" && opening !== "?!") throw this.#refuse(`"(${opening}" in a pattern is not supported`);
    this.#at += opening?.length ?? 0;
    if (++this.#depth > MOST_DEPTH) throw this.#refuse(`a pattern of more than ${MOST_DEPTH} groups in one another is not supported`);
    const item = this.all();
    this.#depth--;
    this.#at++; // the closing one: JavaScript has found it
    return isPlain ? item : { kind: "ahead", item, isNegative: opening === "?!" };
  }

  #class(): CharSet {
    const isNegated = this.#take("^");
    const sets: CharSet[] = [];
    while (!this.#take("]")) {
      const first = this.#classAtom();
      if (this.#isNext("-") && this.#source[this.#at + 1] !== "]") {
        const before = this.#at;
        this.#at++;
        const last = this.#classAtom();
        if (isOne(first) && isOne(last)) {
          sets.push(spellable(range(first[0] as number, last[0] as number)));
          continue;
        }
        this.#at = before; // beside a class of its own the hyphen is itself
        this.#at++;
        sets.push(spellable(first), charsOf("-"));
        continue;
      }
      sets.push(spellable(first));
    }
    return isNegated ? complement(union(...sets)) : union(...sets);
  }

  /** Surrogates and all: as an end of a range one may stand. */
  #classAtom(): CharSet {
    const char = this.#char();
    return char === "\\" ? this.#escape(true) : range(char.codePointAt(0) as number);
  }

  #escape(isInClass: boolean): CharSet {
    const char = this.#char();
    const known = CLASSES[char];
    if (known) return known;
    const control = CONTROLS[char];
    if (control !== undefined) return range(control);
    switch (char) {
      case "p":
      case "P":
        return this.#property(char);
      case "x":
        return range(this.#hex(2) ?? 0x78);
      case "u":
        return range(this.#unicode());
      case "c":
        return range(this.#char().charCodeAt(0) % 32);
      case "b":
        if (isInClass) return range(8);
        break;
      case "B":
      case "k":
        break;
      default:
        if (!/[1-9]/.test(char)) return range(char.codePointAt(0) as number);
    }
    throw this.#refuse(`"\\${char}" in a pattern is not supported`);
  }

  #property(char: string): CharSet {
    const [braces] = /^\{[^}]*\}/.exec(this.#source.slice(this.#at)) ?? [];
    if (braces === undefined) return range(char.charCodeAt(0));
    this.#at += braces.length;
    const name = `\\${char}${braces}`;
    const expression = new RegExp(name, "u");
    return charsWhere(name, (text) => expression.test(text));
  }

  #unicode(): number {
    const [text, inside] = /^\{([0-9A-Fa-f]+)\}/.exec(this.#source.slice(this.#at)) ?? [];
    if (text !== undefined) {
      this.#at += text.length;
      return Number.parseInt(inside ?? "", 16);
    }
    const unit = this.#hex(4);
    if (unit === null) return 0x75;
    const pair = /^\\u(d[c-f][0-9a-f]{2})/i.exec(this.#source.slice(this.#at));
    if (unit < 0xd800 || unit > 0xdbff || !pair) return unit;
    this.#at += 6;
    return String.fromCharCode(unit, Number.parseInt(pair[1] ?? "", 16)).codePointAt(0) as number;
  }

  #hex(digits: number): number | null {
    const text = this.#source.slice(this.#at, this.#at + digits);
    if (text.length < digits || !/^[0-9A-Fa-f]+$/.test(text)) return null;
    this.#at += digits;
    return Number.parseInt(text, 16);
  }

  #char(): string {
    const char = String.fromCodePoint(this.#source.codePointAt(this.#at) ?? 0);
    this.#at += char.length;
    return char;
  }

  #isNext(text: string): boolean {
    return this.#source.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    if (!this.#isNext(text)) return false;
    this.#at += text.length;
    return true;
  }
}

const isOne = (set: CharSet): boolean => set.length === 2 && set[0] === set[1];
