/**
 * Sets of texts, and what is left of them after a character: Brzozowski's derivatives. Pure.
 *
 * - Equal ones are one object as far as their parts say so (order and doubles of a union don't count), so that only
 *   finitely many come of one by taking characters.
 * - Intersection and complement are parts like the others: what looks ahead is no more than that.
 * - Of parts that differ in nothing but how often they repeat, those that another one holds are left out: repeats inside
 *   of repeats would leave a part for each way to have come so far.
 */
import { ALL_CHARS, type CharSet, union } from "./char-set.ts";

/** `skeleton`: the same for those that differ in nothing but how often they repeat. */
export type Language = { readonly id: number; readonly hasEmpty: boolean; readonly skeleton: number } & (
  | { readonly kind: "none" }
  | { readonly kind: "empty" }
  | { readonly kind: "chars"; readonly set: CharSet }
  | { readonly kind: "chain"; readonly first: Language; readonly rest: Language }
  | { readonly kind: "any-of" | "all-of"; readonly parts: readonly Language[] }
  | { readonly kind: "not"; readonly of: Language }
  | { readonly kind: "repeat"; readonly of: Language; readonly min: number; readonly max: number }
  | { readonly kind: "loop"; readonly to: () => Language }
);

type Bare<T = Language> = T extends unknown ? Omit<T, "id" | "hasEmpty" | "skeleton"> : never;

/** Makes languages; those of one maker are told apart by identity. */
export class Languages {
  /** Grows with what it took to make them. */
  work = 0;
  readonly #known = new Map<string, Language>();
  readonly #skeletons = new Map<string, number>();
  #count = 0;
  readonly none = this.#make("none", { kind: "none" } as Bare, false);
  readonly empty = this.#make("empty", { kind: "empty" } as Bare, true);
  readonly one = this.chars(ALL_CHARS);
  readonly all = this.repeat(this.one, 0, Infinity);

  chars(set: CharSet): Language {
    return set.length === 0 ? this.none : this.#make(`c${set.join()}`, { kind: "chars", set } as Bare, false);
  }

  text(text: string): Language {
    return [...text].reduceRight<Language>((rest, char) => this.chain(this.chars([char.codePointAt(0) as number, char.codePointAt(0) as number]), rest), this.empty);
  }

  chain(first: Language, rest: Language): Language {
    if (first === this.none || rest === this.none) return this.none;
    if (first === this.empty) return rest;
    if (rest === this.empty) return first;
    if (first.kind === "chain") {
      const parts: Language[] = [];
      let last: Language = first;
      for (; last.kind === "chain"; last = last.rest) parts.push(last.first);
      return parts.reduceRight((after, part) => this.chain(part, after), this.chain(last, rest));
    }
    return this.#make(`${first.id}.${rest.id}`, { kind: "chain", first, rest } as Bare, first.hasEmpty && rest.hasEmpty);
  }

  anyOf(...given: readonly Language[]): Language {
    const flat = given.flatMap((part) => (part.kind === "any-of" ? part.parts : [part]));
    this.work += flat.length;
    if (flat.includes(this.all)) return this.all;
    const sets = flat.flatMap((part) => (part.kind === "chars" ? [part.set] : []));
    const chars = sets.length > 1 ? [this.chars(union(...sets))] : flat.filter(({ kind }) => kind === "chars");
    const parts = this.#withoutHeld(distinct([...chars, ...flat.filter((part) => part.kind !== "chars" && part !== this.none)]), holds);
    if (parts.length < 2) return parts[0] ?? this.none;
    return this.#make(`|${ids(parts)}`, { kind: "any-of", parts } as Bare, parts.some(({ hasEmpty }) => hasEmpty));
  }

  allOf(...given: readonly Language[]): Language {
    const flat = given.flatMap((part) => (part.kind === "all-of" ? part.parts : [part]));
    this.work += flat.length;
    if (flat.includes(this.none)) return this.none;
    const parts = this.#withoutHeld(distinct(flat.filter((part) => part !== this.all)), (one, other) => holds(other, one));
    if (parts.length < 2) return parts[0] ?? this.all;
    if (parts.includes(this.empty)) return parts.every(({ hasEmpty }) => hasEmpty) ? this.empty : this.none;
    return this.#make(`&${ids(parts)}`, { kind: "all-of", parts } as Bare, parts.every(({ hasEmpty }) => hasEmpty));
  }

  not(of: Language): Language {
    if (of.kind === "not") return of.of;
    if (of === this.none) return this.all;
    if (of === this.all) return this.none;
    return this.#make(`!${of.id}`, { kind: "not", of } as Bare, !of.hasEmpty);
  }

  repeat(of: Language, min: number, max: number): Language {
    if (max === 0 || of === this.empty) return this.empty;
    if (min === 1 && max === 1) return of;
    if (of === this.none) return min === 0 ? this.empty : this.none;
    return this.#make(`${of.id}{${min},${max}}`, { kind: "repeat", of, min, max } as Bare, min === 0 || of.hasEmpty);
  }

  /** One that goes on in itself. Its first character must come before it does. */
  loop(hasEmpty: boolean, make: (loop: Language) => Language): Language {
    const made: { language: Language | null } = { language: null };
    const to = () => made.language ?? this.none;
    const loop = this.#make(`@${this.#count}`, { kind: "loop", to } as Bare, hasEmpty);
    made.language = make(loop);
    return loop;
  }

  /** What may follow the character: any one of those that `isIn` can't tell apart. */
  after(language: Language, isIn: (set: CharSet) => boolean, known: Map<Language, Language>): Language {
    let next = known.get(language);
    if (!next) known.set(language, (next = this.#after(language, isIn, known)));
    return next;
  }

  #after(language: Language, isIn: (set: CharSet) => boolean, known: Map<Language, Language>): Language {
    const after = (part: Language) => this.after(part, isIn, known);
    switch (language.kind) {
      case "none":
      case "empty":
        return this.none;
      case "chars":
        return isIn(language.set) ? this.empty : this.none;
      case "chain": {
        const { first, rest } = language;
        const begun = this.chain(after(first), rest);
        return first.hasEmpty ? this.anyOf(begun, after(rest)) : begun;
      }
      case "any-of":
        return this.anyOf(...language.parts.map(after));
      case "all-of":
        return this.allOf(...language.parts.map(after));
      case "not":
        return this.not(after(language.of));
      case "repeat": {
        const { of, min, max } = language;
        return this.chain(after(of), this.repeat(of, Math.max(0, min - 1), max - 1));
      }
      case "loop":
        return after(language.to());
    }
  }

  #make(key: string, bare: Bare, hasEmpty: boolean): Language {
    this.work++;
    let language = this.#known.get(key);
    if (!language) {
      const id = this.#count++;
      this.#known.set(key, (language = { ...bare, id, hasEmpty, skeleton: this.#skeleton(bare, id) } as Language));
    }
    return language;
  }

  /** Those of each skeleton that none of the others makes needless. */
  #withoutHeld(parts: readonly Language[], isNeedless: (by: Language, part: Language) => boolean): readonly Language[] {
    const bySkeleton = Map.groupBy(parts, ({ skeleton }) => skeleton);
    if (bySkeleton.size === parts.length) return parts;
    return parts.filter((part) => {
      const others = bySkeleton.get(part.skeleton) ?? [];
      this.work += others.length >> 5; // comparing is little beside making
      return !others.some((other) => other !== part && isNeedless(other, part));
    });
  }

  #skeleton(bare: Bare, id: number): number {
    const key = bare.kind === "chain" ? `${bare.first.skeleton}.${bare.rest.skeleton}` : bare.kind === "repeat" ? `${bare.of.id}{` : `${id}`;
    let skeleton = this.#skeletons.get(key);
    if (skeleton === undefined) this.#skeletons.set(key, (skeleton = this.#skeletons.size));
    return skeleton;
  }
}

/** Whether it has all texts of another one of its skeleton, as far as their repeats say so one by one. */
function holds(one: Language, other: Language): boolean {
  let [a, b] = [one, other];
  for (; a.kind === "chain" && b.kind === "chain"; [a, b] = [a.rest, b.rest]) if (!holds(a.first, b.first)) return false;
  return a === b || (a.kind === "repeat" && b.kind === "repeat" && a.min <= b.min && b.max <= a.max);
}

/** Every set of characters that stands in it. */
export function setsIn(language: Language): ReadonlySet<CharSet> {
  const sets = new Set<CharSet>();
  const seen = new Set([language]);
  for (const one of seen) {
    if (one.kind === "chars") sets.add(one.set);
    for (const part of partsOf(one)) seen.add(part);
  }
  return sets;
}

function partsOf(language: Language): readonly Language[] {
  switch (language.kind) {
    case "chain":
      return [language.first, language.rest];
    case "any-of":
    case "all-of":
      return language.parts;
    case "not":
    case "repeat":
      return [language.of];
    case "loop":
      return [language.to()];
    default:
      return [];
  }
}

const distinct = (parts: readonly Language[]): readonly Language[] => [...new Set(parts)].sort((a, b) => a.id - b.id);
const ids = (parts: readonly Language[]): string => parts.map(({ id }) => id).join();
