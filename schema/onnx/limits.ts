/**
 * What reading a model may cost. The largest that browsers run have some 100,000 fields; a million take a few seconds,
 * and as objects, with the bytes that are kept, less than half of a Worker's memory.
 */
export interface ReadLimits {
  readonly depth: number;
  readonly fields: number;
  /** Each becomes an object: what bounds memory where messages are tiny. */
  readonly messages: number;
  /** Of names, attributes and fields passed through. */
  readonly keptBytes: number;
}

export const READ_LIMITS: ReadLimits = { depth: 24, fields: 1_000_000, messages: 300_000, keptBytes: 32 * 1024 * 1024 };

/** What reading has cost so far. Files that are read with one of these share its limit on fields. */
export interface Spent {
  fields: number;
}
