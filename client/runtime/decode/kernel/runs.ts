/** What thread 0 tells the others of a run: words at a fixed place of the shared memory, read when it has begun. Pure but for that memory. */
import { CELL_COUNT } from "./crew.ts";
import type { Run } from "./work.ts";

const AT = 4 * CELL_COUNT;
const WORDS = ["rows", "past", "capacity", "keysAt", "scoresAt", "scoresBytes"] as const;
const IDS_AT = AT + 4 * (WORDS.length + 1);

/** Bytes at the beginning of the memory that a crew needs for itself. */
export const crewBytes = (rows: number): number => Math.ceil((IDS_AT + 4 * rows) / 64) * 64;

export function writeRun(buffer: ArrayBufferLike, run: Run): void {
  const words = new Uint32Array(buffer, AT, WORDS.length + 1);
  words.set([...WORDS.map((word) => run[word]), run.wantsLogits ? 1 : 0]);
  new Int32Array(buffer, IDS_AT, run.rows).set(run.ids);
}

export function readRun(buffer: ArrayBufferLike): Run {
  const [rows = 0, past = 0, capacity = 0, keysAt = 0, scoresAt = 0, scoresBytes = 0, wantsLogits = 0] = new Uint32Array(buffer, AT, WORDS.length + 1);
  return { rows, past, capacity, keysAt, scoresAt, scoresBytes, wantsLogits: wantsLogits !== 0, ids: new Int32Array(buffer, IDS_AT, rows) };
}
