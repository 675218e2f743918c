/**
 * A JSON string of a machine's language as a terminal, from its opening quote to its closing one. Pure.
 *
 * - The language has a text of at most `max` characters; a byte is taken only where such a one can still come of it.
 * - Each text has one spelling: characters are themselves but for those that JSON wants escaped, which are escaped the
 *   short way where there is one.
 */
import { knownTerminals, type Terminal } from "../rules.ts";
import { type Machine, START, type State } from "./machine.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SHORT: Readonly<Record<string, number>> = { '"': QUOTE, "\\": BACKSLASH, b: 8, t: 9, n: 10, f: 12, r: 13 };
const SHORT_POINTS = new Set(Object.values(SHORT));
/** Control characters that have the long spelling alone. */
const LONG_POINTS = Array.from({ length: 0x20 }, (_, point) => point).filter((point) => !SHORT_POINTS.has(point));
const HEX = /^[0-9a-f]$/;

/** The least that a character of two, three or four bytes may be. */
const LEAST = [0x80, 0x800, 0x1_0000] as const;

export function matchingString(machine: Machine, max: number): Terminal {
  const known = knownTerminals();
  const closed: Terminal = { kind: "terminal", mayEnd: true, isSpent: true, step: () => null };

  const terminal = (key: string, step: Terminal["step"]): Terminal => known(key, () => ({ kind: "terminal", mayEnd: false, step }));

  const take = (state: State, left: number, point: number): Terminal | null => {
    const next = machine.after(state, point);
    return next >= 0 && machine.isNear(next, left - 1) ? body(next, left - 1) : null;
  };

  /** `left`: how many characters there may still be. */
  const body = (state: State, left: number): Terminal =>
    terminal(`${state}/${left}`, (byte) => {
      if (byte === QUOTE) return machine.distance(state) === 0 ? closed : null;
      if (byte === BACKSLASH) return [...SHORT_POINTS, ...LONG_POINTS].some((point) => take(state, left, point)) ? escape(state, left) : null;
      if (byte < 0x20) return null;
      if (byte < 0x80) return take(state, left, byte);
      const more = byte >= 0xc2 && byte <= 0xdf ? 1 : byte >= 0xe0 && byte <= 0xef ? 2 : byte >= 0xf0 && byte <= 0xf4 ? 3 : 0;
      return more === 0 ? null : inside(state, left, byte & (0x3f >> more), more, LEAST[more - 1] as number);
    });

  /** In a character, of which `more` bytes are missing; null where none that fits begins so. */
  const inside = (state: State, left: number, value: number, more: number, least: number): Terminal | null => {
    const low = value << (6 * more);
    const high = low + (1 << (6 * more)) - 1;
    if (high < least || !machine.leads(state, Math.max(low, least), high, left - 1)) return null;
    return terminal(`${state}/${left}/${value}/${more}`, (byte) => {
      if (byte < 0x80 || byte > 0xbf) return null;
      const longer = (value << 6) | (byte & 0x3f);
      return more > 1 ? inside(state, left, longer, more - 1, least) : longer < least ? null : take(state, left, longer);
    });
  };

  const escape = (state: State, left: number): Terminal =>
    terminal(`${state}/${left}\\`, (byte) => {
      const point = SHORT[String.fromCharCode(byte)];
      if (point !== undefined) return take(state, left, point);
      return byte === 0x75 ? long(state, left, "") : null;
    });

  const long = (state: State, left: number, digits: string): Terminal | null => {
    const fitting = LONG_POINTS.filter((point) => point.toString(16).padStart(4, "0").startsWith(digits) && take(state, left, point));
    if (fitting.length === 0) return null;
    if (digits.length === 4) return take(state, left, fitting[0] as number);
    return terminal(`${state}/${left}u${digits}`, (byte) => {
      const digit = String.fromCharCode(byte).toLowerCase();
      return HEX.test(digit) ? long(state, left, digits + digit) : null;
    });
  };

  const first = body(START, max);
  return { kind: "terminal", mayEnd: false, step: (byte) => (byte === QUOTE ? first : null) };
}
