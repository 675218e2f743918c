/**
 * From a pattern to the set of texts that it is found in, as JSON Schema means it: anywhere, unless `^` and `$` say where.
 * Pure and exact.
 *
 * - A pattern is read from its end: `rest` is all that may come after. So `$` is "nothing", and what looks ahead is an
 *   intersection with the rest.
 * - `^` holds where nothing was read before; a part that may have read nothing is taken apart into both cases.
 * - A repeated part that looks ahead is unrolled up to `MOST_TURNS` times, or goes on in itself where it has no limit. What
 *   is unrolled inside of what is unrolled grows with each: beyond `MOST_STEPS` it is refused.
 */
import type { Language, Languages } from "./language.ts";
import { parsePattern, type Pattern, type Refuse } from "./syntax.ts";

const MOST_TURNS = 64;
const MOST_STEPS = 50_000;

export function matchesOf(source: string, languages: Languages, refuse: Refuse): Language {
  return new Reading(languages, refuse).found(parsePattern(source, refuse));
}

class Reading {
  readonly #languages: Languages;
  readonly #refuse: Refuse;
  readonly #known = new Map<Pattern, Language>();
  #steps = 0;

  constructor(languages: Languages, refuse: Refuse) {
    this.#languages = languages;
    this.#refuse = refuse;
  }

  found(pattern: Pattern): Language {
    const { all, one } = this.#languages;
    if (!has(pattern, "start")) return this.#languages.chain(all, this.#then(pattern, all, false));
    const something = this.#languages.chain(one, all);
    return this.#languages.anyOf(this.#then(pattern, all, true), this.#languages.chain(something, this.#then(pattern, all, false)));
  }

  /** The pattern, and then the rest. `isStart`: nothing was read before. */
  #then(pattern: Pattern, rest: Language, isStart: boolean): Language {
    const languages = this.#languages;
    if (++this.#steps > MOST_STEPS) throw this.#refuse("a pattern that repeats parts that look ahead so often is not supported");
    if (!has(pattern, "start", "end", "ahead")) return languages.chain(this.#plain(pattern), rest);
    switch (pattern.kind) {
      case "start":
        return isStart ? rest : languages.none;
      case "end":
        return languages.allOf(rest, languages.empty);
      case "ahead": {
        const seen = this.#then(pattern.item, languages.all, isStart);
        return languages.allOf(pattern.isNegative ? languages.not(seen) : seen, rest);
      }
      case "choice":
        return languages.anyOf(...pattern.options.map((option) => this.#then(option, rest, isStart)));
      case "repeat":
        return this.#repeated(pattern, rest, isStart);
      case "sequence":
        return this.#inOrder(pattern.items, rest, isStart);
      case "chars":
        return languages.chain(languages.chars(pattern.set), rest);
    }
  }

  #inOrder(items: readonly Pattern[], rest: Language, isStart: boolean): Language {
    const [first, ...others] = items;
    if (!first) return rest;
    const languages = this.#languages;
    const later = () => others.reduceRight((after, item) => this.#then(item, after, false), rest);
    if (!isStart || !others.some((item) => has(item, "start")) || least(first) > 0) return this.#then(first, later(), isStart);
    const atStart = this.#inOrder(others, rest, true);
    if (most(first) === 0) return this.#then(first, atStart, true);
    if (has(first, "start", "end", "ahead")) throw this.#refuse('"^" after a part that looks ahead and may be empty is not supported in a pattern');
    const read = languages.allOf(this.#plain(first), languages.chain(languages.one, languages.all));
    return languages.anyOf(atStart, languages.chain(read, later()));
  }

  /** What looks ahead inside sees the turns that follow. */
  #repeated({ item, min, max }: Extract<Pattern, { kind: "repeat" }>, rest: Language, isStart: boolean): Language {
    const languages = this.#languages;
    if (least(item) === 0 && has(item, "start")) {
      if (max > 1) throw this.#refuse('"^" in a repeated part that may be empty is not supported in a pattern');
    } else if (least(item) === 0 && max === Infinity) {
      throw this.#refuse("a part that looks ahead, may be empty, and is repeated without a limit is not supported in a pattern");
    }
    if (min > MOST_TURNS || (max !== Infinity && max > MOST_TURNS)) throw this.#refuse(`a part that looks ahead and is repeated more than ${MOST_TURNS} times is not supported in a pattern`);
    let after = max === Infinity ? languages.loop(rest.hasEmpty, (loop) => languages.anyOf(rest, this.#then(item, loop, false))) : rest;
    if (max === Infinity && min === 0) return isStart && has(item, "start") ? languages.anyOf(rest, this.#then(item, after, true)) : after;
    for (let turn = max === Infinity ? min - 1 : max - 1; turn >= 0; turn--) {
      const once = this.#then(item, after, isStart && turn === 0);
      after = turn >= min ? languages.anyOf(rest, once) : once;
    }
    return after;
  }

  #plain(pattern: Pattern): Language {
    let known = this.#known.get(pattern);
    if (!known) this.#known.set(pattern, (known = this.#read(pattern)));
    return known;
  }

  #read(pattern: Pattern): Language {
    const languages = this.#languages;
    switch (pattern.kind) {
      case "chars":
        return languages.chars(pattern.set);
      case "sequence":
        return pattern.items.reduceRight<Language>((after, item) => languages.chain(this.#plain(item), after), languages.empty);
      case "choice":
        return languages.anyOf(...pattern.options.map((option) => this.#plain(option)));
      case "repeat":
        return languages.repeat(this.#plain(pattern.item), pattern.min, pattern.max);
      default:
        throw new Error("what looks around is read by what follows it");
    }
  }
}

type Kinds = ReadonlySet<Pattern["kind"]>;
const kindsIn = new WeakMap<Pattern, Kinds>();

function kindsOf(pattern: Pattern): Kinds {
  let kinds = kindsIn.get(pattern);
  if (!kinds) kindsIn.set(pattern, (kinds = new Set([pattern.kind, ...partsOf(pattern).flatMap((part) => [...kindsOf(part)])])));
  return kinds;
}

const has = (pattern: Pattern, ...kinds: readonly Pattern["kind"][]): boolean => kinds.some((kind) => kindsOf(pattern).has(kind));

/** The fewest characters that it reads. */
function least(pattern: Pattern): number {
  switch (pattern.kind) {
    case "chars":
      return 1;
    case "sequence":
      return pattern.items.reduce((sum, item) => sum + least(item), 0);
    case "choice":
      return Math.min(...pattern.options.map(least));
    case "repeat":
      return pattern.min * least(pattern.item);
    default:
      return 0;
  }
}

/** 0, or more than that. */
function most(pattern: Pattern): number {
  if (pattern.kind === "chars") return 1;
  if (pattern.kind === "ahead" || (pattern.kind === "repeat" && pattern.max === 0)) return 0;
  return Math.max(0, ...partsOf(pattern).map(most));
}

function partsOf(pattern: Pattern): readonly Pattern[] {
  switch (pattern.kind) {
    case "sequence":
      return pattern.items;
    case "choice":
      return pattern.options;
    case "repeat":
    case "ahead":
      return [pattern.item];
    default:
      return [];
  }
}
