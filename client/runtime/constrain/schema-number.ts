/**
 * The number keywords of a JSON schema as limits in units of the last decimal. Pure and exact.
 */
import { type NumberLimits, widest } from "./json-number.ts";

/** Decimals that numbers get where their bounds need no more. */
const DECIMALS = 6;
const MOST_DECIMALS = 12;

type Refuse = (why: string) => Error;

export function readNumber(schema: Readonly<Record<string, unknown>>, isInteger: boolean, refuse: Refuse): NumberLimits {
  const bound = (keyword: string): Decimal | null => {
    const value = schema[keyword];
    if (value === undefined) return null;
    if (typeof value !== "number" || !Number.isFinite(value)) throw refuse(`"${keyword}" is a number`);
    return decimalOf(value);
  };
  const step = bound("multipleOf");
  const bounds = { min: bound("minimum"), over: bound("exclusiveMinimum"), max: bound("maximum"), under: bound("exclusiveMaximum") };
  const finest = Math.max(...[step, ...Object.values(bounds)].map((value) => value?.decimals ?? 0));
  if (finest > MOST_DECIMALS) throw refuse(`bounds with more than ${MOST_DECIMALS} decimals are not supported`);
  const decimals = isInteger ? 0 : Math.max(DECIMALS, finest);

  const limits = widest(decimals);
  const low = [limits.min, bounds.min && ceiling(bounds.min, decimals), bounds.over && floor(bounds.over, decimals) + 1n];
  const high = [limits.max, bounds.max && floor(bounds.max, decimals), bounds.under && ceiling(bounds.under, decimals) - 1n];
  return { decimals, min: most(low), max: least(high), step: step ? stepOf(step, decimals, refuse) : 1n };
}

/** A number is `digits` / 10 ^ `decimals`. */
interface Decimal {
  readonly digits: bigint;
  readonly decimals: number;
}

/** As the number prints: that is what the schema's author wrote. */
function decimalOf(value: number): Decimal {
  const [mantissa = "0", exponent = "0"] = String(value).split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  const shift = Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction);
  return shift >= 0 ? { digits: digits * 10n ** BigInt(shift), decimals: 0 } : { digits, decimals: -shift };
}

/** A multiple of 0.5 that is whole is a multiple of 1: for integers the step is what both have in common. */
function stepOf({ digits, decimals: own }: Decimal, decimals: number, refuse: Refuse): bigint {
  if (digits <= 0n) throw refuse('"multipleOf" is a number above 0');
  if (own <= decimals) return digits * 10n ** BigInt(decimals - own);
  const unit = 10n ** BigInt(own - decimals);
  return digits / greatestCommonDivisor(digits, unit);
}

function floor({ digits, decimals: own }: Decimal, decimals: number): bigint {
  if (own <= decimals) return digits * 10n ** BigInt(decimals - own);
  const unit = 10n ** BigInt(own - decimals);
  return digits / unit - (digits < 0n && digits % unit !== 0n ? 1n : 0n);
}

const ceiling = ({ digits, decimals }: Decimal, to: number): bigint => -floor({ digits: -digits, decimals }, to);
const greatestCommonDivisor = (a: bigint, b: bigint): bigint => (b === 0n ? a : greatestCommonDivisor(b, a % b));
const most = (values: readonly (bigint | null)[]): bigint => values.reduce<bigint>((max, value) => (value !== null && value > max ? value : max), values[0] as bigint);
const least = (values: readonly (bigint | null)[]): bigint => values.reduce<bigint>((min, value) => (value !== null && value < min ? value : min), values[0] as bigint);
