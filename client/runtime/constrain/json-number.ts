/**
 * A JSON number within bounds as a terminal. Pure.
 *
 * - Written without an exponent, with at most `WHOLE_DIGITS` digits before the point and as many decimals as stated.
 * - A digit is taken only where a number within the bounds can still come of it: no way leads to a dead end.
 * - Exact: bounds and values are compared as whole numbers of the last decimal.
 * - Once no bound can be missed any more, numbers of as many digits are one state: so a mask serves them all.
 */
import { knownTerminals, type Terminal } from "./rules.ts";

export const WHOLE_DIGITS = 15;

export interface NumberLimits {
  /** Digits after the point; 0 for integers. */
  readonly decimals: number;
  /** In units of the last decimal, both included. */
  readonly min: bigint;
  readonly max: bigint;
  /** The number is a multiple of this many units. */
  readonly step: bigint;
}

const LARGEST = 10n ** BigInt(WHOLE_DIGITS) - 1n;

/** The bounds that the digits set by themselves. */
export function widest(decimals: number): NumberLimits {
  const max = (LARGEST + 1n) * 10n ** BigInt(decimals) - 1n;
  return { decimals, min: -max, max, step: 1n };
}

/** Whether any number fits. */
export const isSatisfiable = (limits: NumberLimits): boolean => hasMultiple(limits.min, limits.max, limits);

export function jsonNumber(limits: NumberLimits): Terminal {
  const known = knownTerminals<Terminal | null>();
  const at = (text: string): Terminal | null =>
    known(text, () => (isViable(text, limits) ? { kind: "terminal", mayEnd: isWhole(text) && fits(text, limits), step: (byte) => follow(text, byte) } : null));
  const follow = (text: string, byte: number): Terminal | null => {
    const letter = String.fromCharCode(byte);
    return /^-?(?:(?:0|[1-9]\d*)(?:\.\d*)?)?$/.test(text + letter) ? at(standIn(text + letter, limits)) : null;
  };
  return at("") ?? { kind: "terminal", mayEnd: false, step: () => null };
}

/** The text, or what stands for all of as many digits where all numbers that are further from 0 fit, too. */
function standIn(text: string, { decimals, min, max, step }: NumberLimits): string {
  const isNegative = text.startsWith("-");
  const digits = isNegative ? text.slice(1) : text;
  const most = widest(decimals).max;
  if (digits === "" || step !== 1n || (isNegative ? min > -most : max < most)) return text;
  const size = units(digits, decimals);
  const isFree = isNegative ? -size <= max : size >= min;
  return isFree ? text.replace(/(?<!^-?)0|[1-9]/g, "9") : text; // a 0 at the beginning stays: no digit follows it
}

const isWhole = (text: string): boolean => /\d$/.test(text);

/** A decimal text in units; it has at most `decimals` of them. */
function units(text: string, decimals: number): bigint {
  const [whole = "", fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(decimals, "0"));
}

function fits(text: string, limits: NumberLimits): boolean {
  const size = units(text.replace("-", ""), limits.decimals);
  const value = text.startsWith("-") ? -size : size;
  return hasMultiple(value, value, limits);
}

/** Whether a number that begins with this text lies within the bounds. */
function isViable(text: string, limits: NumberLimits): boolean {
  const isNegative = text.startsWith("-");
  const digits = isNegative ? text.slice(1) : text;
  const reaches = (low: bigint, high: bigint) => (isNegative ? hasMultiple(-high, -low, limits) : hasMultiple(low, high, limits));
  const { decimals } = limits;
  const [whole = "", fraction] = digits.split(".");
  if (whole.length > WHOLE_DIGITS || (fraction?.length ?? 0) > decimals || (fraction !== undefined && decimals === 0)) return false;
  if (digits === "") return isNegative ? reaches(0n, widest(decimals).max) : isSatisfiable(limits);
  if (fraction !== undefined) {
    const open = 10n ** BigInt(decimals - fraction.length);
    const low = units(digits, decimals);
    return reaches(low, low + open - 1n);
  }
  const unit = 10n ** BigInt(decimals);
  const value = BigInt(whole);
  const mostMore = whole === "0" ? 0 : WHOLE_DIGITS - whole.length;
  const furthest = isNegative ? -limits.min : limits.max;
  for (let more = 0, scale = unit; more <= mostMore; more++, scale *= 10n) {
    const low = value * scale;
    if (low > furthest) return false;
    if (reaches(low, low + scale - 1n)) return true;
  }
  return false;
}

/** Whether a multiple of the step lies in both ranges. */
function hasMultiple(low: bigint, high: bigint, { min, max, step }: NumberLimits): boolean {
  const from = low > min ? low : min;
  const to = high < max ? high : max;
  return from <= to && floorDivide(to, step) * step >= from;
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by !== 0n && value < 0n ? quotient - 1n : quotient;
}
