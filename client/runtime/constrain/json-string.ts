/**
 * A JSON string as a terminal, from its opening quote to its closing one. Pure.
 *
 * - Length counts characters (code points), as JSON Schema does. An escape is one character; `\u` spells no surrogates.
 * - Bytes are whole, shortest-form UTF-8.
 * - `except` names strings that it must not be; then it has no escapes, so that each string has one spelling.
 */
import { knownTerminals, type Terminal } from "./rules.ts";

export interface StringLimits {
  readonly min: number;
  /** `Infinity`: none. */
  readonly max: number;
  readonly except?: readonly string[];
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const PLAIN_ESCAPES = new Set([...'"\\/bfnrt'].map((letter) => letter.charCodeAt(0)));

/** Inside a character: which bytes come next, one range each. */
type Pending = readonly (readonly [number, number])[];
const TAIL = [0x80, 0xbf] as const;
const DIGIT_D = 0x64;

const DEAD: Terminal = { kind: "terminal", mayEnd: false, step: () => null };

export function jsonString({ min, max, except = [] }: StringLimits): Terminal {
  if (min > max) return DEAD;
  const closed: Terminal = { kind: "terminal", mayEnd: true, isSpent: true, step: () => null };
  const memo = knownTerminals();
  const forbidden = except.map((text) => Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""));
  const hasEscapes = forbidden.length === 0;

  /** `text`: the bytes so far, as long as they may still become a forbidden string; else null, so that all such are one state. */
  const body = (count: number, text: string | null): Terminal => {
    const counted = max === Infinity ? Math.min(count, min) : count;
    return memo(text === null ? `${counted}` : `${counted}/${text}`, () => ({
      kind: "terminal",
      mayEnd: false,
      step(byte) {
        if (byte === QUOTE) return counted >= min && !(text !== null && forbidden.includes(text)) ? closed : null;
        if (count >= max) return null;
        if (byte === BACKSLASH) return hasEscapes ? escape(count) : null;
        if (byte < 0x20) return null;
        const spelled = spell(text, byte);
        if (byte < 0x80) return body(count + 1, spelled);
        const pending = tailOf(byte);
        return pending && inside(count, spelled, pending);
      },
    }));
  };

  const inside = (count: number, text: string | null, pending: Pending): Terminal =>
    memo(`${count}+${text ?? ""}+${pending.join(";")}`, () => ({
      kind: "terminal",
      mayEnd: false,
      step(byte) {
        const [range, ...rest] = pending;
        if (!range || byte < range[0] || byte > range[1]) return null;
        const spelled = spell(text, byte);
        return rest.length === 0 ? body(count + 1, spelled) : inside(count, spelled, rest);
      },
    }));

  const escape = (count: number): Terminal =>
    memo(`${count}\\`, () => ({
      kind: "terminal",
      mayEnd: false,
      step: (byte) => (PLAIN_ESCAPES.has(byte) ? body(count + 1, null) : byte === 0x75 ? hex(count, 0, false) : null),
    }));

  const hex = (count: number, digits: number, afterD: boolean): Terminal =>
    memo(`${count}u${digits}${afterD}`, () => ({
      kind: "terminal",
      mayEnd: false,
      step(byte) {
        const letter = byte | 0x20;
        const isDigit = byte >= 0x30 && byte <= 0x39;
        if (!isDigit && !(letter >= 0x61 && letter <= 0x66)) return null;
        if (afterD && !(isDigit && byte <= 0x37)) return null; // D800 to DFFF are halves of pairs
        return digits === 3 ? body(count + 1, null) : hex(count, digits + 1, digits === 0 && letter === DIGIT_D && !isDigit);
      },
    }));

  const spell = (text: string | null, byte: number) => {
    const longer = text === null ? null : text + String.fromCharCode(byte);
    return longer !== null && forbidden.some((whole) => whole.startsWith(longer)) ? longer : null;
  };

  const first = body(0, hasEscapes ? null : "");
  return { kind: "terminal", mayEnd: false, step: (byte) => (byte === QUOTE ? first : null) };
}

/** The ranges of the bytes that must follow a leading one (RFC 3629); null where it leads nothing. */
function tailOf(byte: number): Pending | null {
  if (byte >= 0xc2 && byte <= 0xdf) return [TAIL];
  if (byte === 0xe0) return [[0xa0, 0xbf], TAIL];
  if (byte === 0xed) return [[0x80, 0x9f], TAIL];
  if (byte >= 0xe1 && byte <= 0xef) return [TAIL, TAIL];
  if (byte === 0xf0) return [[0x90, 0xbf], TAIL, TAIL];
  if (byte >= 0xf1 && byte <= 0xf3) return [TAIL, TAIL, TAIL];
  if (byte === 0xf4) return [[0x80, 0x8f], TAIL, TAIL];
  return null;
}
