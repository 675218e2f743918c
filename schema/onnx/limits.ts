/**
 * What reading a model may cost. The largest that browsers run have some 100,000 fields; a million take a few seconds.
 * What is kept of them, as objects, is held to half of a Worker's memory: 128 MB, which other requests share.
 */
import type { Rest } from "./rest.ts";

export interface ReadLimits {
  readonly depth: number;
  readonly fields: number;
  readonly messages: number;
  /** Of names, attributes, fields passed through and the objects that hold them, by `COSTS`. */
  readonly keptBytes: number;
}

/** Bytes of memory that each takes beside its content, as V8 has them: tiny ones by the million are the bomb. */
export const COSTS = { message: 256, bytes: 256, string: 48, number: 8, int64: 40 } as const;

export const READ_LIMITS: ReadLimits = { depth: 24, fields: 1_000_000, messages: 300_000, keptBytes: 48 * 1024 * 1024 };

/** What reading has cost so far. Files that are read with one of these share its limit on fields. */
export interface Spent {
  fields: number;
  /** Left out: the thread is theirs alone. */
  readonly rest?: Rest | undefined;
}
