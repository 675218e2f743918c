/**
 * Sets of characters (code points that are no surrogates) as sorted ranges. Pure.
 *
 * - Flat: `[low, high, low, high, …]`, both included, with a gap between two ranges.
 */
export type CharSet = readonly number[];

export const LAST = 0x10_ffff;
/** Every character that UTF-8 can spell. */
export const ALL_CHARS: CharSet = [0, 0xd7ff, 0xe000, LAST];

export const range = (low: number, high: number = low): CharSet => [low, high];
export const charsOf = (text: string): CharSet => union(...[...text].map((char) => range(char.codePointAt(0) as number)));

export function union(...sets: readonly CharSet[]): CharSet {
  const ranges = sets.flatMap((set) => pairs(set)).sort(([a], [b]) => a - b);
  const merged: number[] = [];
  for (const [low, high] of ranges) {
    const end = merged.at(-1);
    if (end !== undefined && low <= end + 1) merged[merged.length - 1] = Math.max(end, high);
    else merged.push(low, high);
  }
  return merged;
}

export function without(set: CharSet, taken: CharSet): CharSet {
  const left: number[] = [];
  const others = pairs(taken);
  for (const [low, high] of pairs(set)) {
    let from = low;
    for (const [start, end] of others) {
      if (end < from || start > high) continue;
      if (start > from) left.push(from, start - 1);
      from = end + 1;
    }
    if (from <= high) left.push(from, high);
  }
  return left;
}

export const complement = (set: CharSet): CharSet => without(ALL_CHARS, set);
/** Surrogates, which no text has, are left out. */
export const spellable = (set: CharSet): CharSet => without(set, [0xd800, 0xdfff]);

export function isIn(set: CharSet, point: number): boolean {
  let [first, last] = [0, set.length / 2 - 1];
  while (first <= last) {
    const middle = (first + last) >> 1;
    if (point < (set[middle * 2] as number)) last = middle - 1;
    else if (point > (set[middle * 2 + 1] as number)) first = middle + 1;
    else return true;
  }
  return false;
}

/** All characters that a test holds for; slow, and kept by name. */
const named = new Map<string, CharSet>();
export function charsWhere(name: string, test: (char: string) => boolean): CharSet {
  let set = named.get(name);
  if (!set) {
    const ranges: number[] = [];
    for (let point = 0; point <= LAST; point++) {
      if (point === 0xd800) point = 0xe000;
      if (!test(String.fromCodePoint(point))) continue;
      if (ranges.at(-1) === point - 1) ranges[ranges.length - 1] = point;
      else ranges.push(point, point);
    }
    named.set(name, (set = ranges));
  }
  return set;
}

export function pairs(set: CharSet): readonly (readonly [low: number, high: number])[] {
  return Array.from({ length: set.length / 2 }, (_, at) => [set[at * 2] as number, set[at * 2 + 1] as number]);
}
