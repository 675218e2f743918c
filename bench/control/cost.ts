/**
 * What a million issuances cost at Cloudflare's list prices, from rows that were counted and rates that were measured.
 *
 * - Prices beyond what a plan includes, in US dollars, as developers.cloudflare.com states them at /workers/platform/pricing,
 *   /durable-objects/platform/pricing and /d1/platform/pricing (copies of those pages, read in November 2026).
 * - CPU time and the object's duration are taken at their most: a core that does nothing but issue, and an object that is
 *   awake for nothing else. Not counted: rows read (a thousandth of a written row's price), stored bytes, R2.
 */
export const PRICES = {
  workerRequest: 0.3 / 1e6,
  /** A millisecond of CPU. */
  workerCpuMs: 0.02 / 1e6,
  /** A call of the object, or its alarm. */
  objectRequest: 0.15 / 1e6,
  /** A gigabyte for a second. */
  objectDurationGbSecond: 12.5 / 1e6,
  objectRowWritten: 1 / 1e6,
  d1RowWritten: 1 / 1e6,
} as const;

/** Each object is billed for as much, whatever it uses. */
const OBJECT_GB = 0.128;

/** Per issuance. */
export interface Counted {
  readonly objectRows: number;
  readonly d1Rows: number;
  readonly perSecond: number;
}

/** US dollars for a million. */
export function costOfMillion({ objectRows, d1Rows, perSecond }: Counted): number {
  const seconds = 1 / perSecond;
  const each =
    PRICES.workerRequest + PRICES.workerCpuMs * seconds * 1000 + PRICES.objectRequest + PRICES.objectDurationGbSecond * OBJECT_GB * seconds + PRICES.objectRowWritten * objectRows + PRICES.d1RowWritten * d1Rows;
  return each * 1e6;
}
