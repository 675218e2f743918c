/**
 * What text may look like, as rules over bytes. Pure.
 *
 * - A terminal is a small deterministic machine; the same state is the same object for as long as it is known, so that
 *   states can be told apart by identity.
 * - A choice takes any of its options, a sequence all its parts in order; `lazy` ties recursive rules.
 */

export interface Terminal {
  readonly kind: "terminal";
  /** Whether what has come may be all. */
  readonly mayEnd: boolean;
  /** Nothing can follow in this terminal. */
  readonly isSpent?: boolean;
  step(byte: number): Terminal | null;
}

export type Rule =
  | Terminal
  | { readonly kind: "choice"; readonly options: readonly Rule[] }
  | { readonly kind: "sequence"; readonly parts: readonly Rule[] }
  | { readonly kind: "lazy"; readonly rule: () => Rule };

export const choice = (...options: readonly Rule[]): Rule => (options.length === 1 && options[0] ? options[0] : { kind: "choice", options });
export const sequence = (...parts: readonly Rule[]): Rule => ({ kind: "sequence", parts });
export const NOTHING: Rule = sequence();

/** `make` runs once, when the rule is first needed. */
export function lazy(make: () => Rule): Rule {
  let made: Rule | null = null;
  return { kind: "lazy", rule: () => (made ??= make()) };
}

/** So many of one part at a time: what a length makes of its own for each character is not asked for again. */
const MOST_TERMINALS = 4096;

/** Terminals by what tells them apart. One that was forgotten is made anew: that costs its states, and changes nothing. */
export function knownTerminals<T extends Terminal | null = Terminal>(): (key: string, make: () => T) => T {
  const known = new Map<string, T>();
  return (key, make) => {
    let terminal = known.get(key);
    if (terminal !== undefined) return terminal;
    if (known.size >= MOST_TERMINALS) known.clear();
    known.set(key, (terminal = make()));
    return terminal;
  };
}

const END: Terminal = { kind: "terminal", mayEnd: true, isSpent: true, step: () => null };

export function literal(text: string | Uint8Array): Rule {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  let state: Terminal = END;
  for (const expected of [...bytes].reverse()) {
    const next = state;
    state = { kind: "terminal", mayEnd: false, step: (byte) => (byte === expected ? next : null) };
  }
  return state;
}
