/**
 * How many threads bring single tokens soonest: measured while they come. Pure.
 *
 * - On free and equal cores all of them; where other work has the cores, where they are halves of one, or where some are
 *   slow ones, whoever waits for a thread waits long, and fewer are sooner. That changes from one moment to the next.
 * - Each count is tried twice at first. From then on the best is gone, and another one tried now and then: soon after a
 *   change, and ever more seldom while there is none.
 * - A token that took long once says little: a count is as good as the middle of its last tokens.
 */
export interface Pace {
  /** For the next token. */
  next(): number;
  took(threads: number, ms: number): void;
  /** What seems best now; at first all. */
  readonly best: number;
}

/** Code is slow while it is new. */
const UNTIMED = 3;
const TRIES_AT_FIRST = 2;
/** Tokens of a count that are looked at. */
const LOOKED_AT = 5;
/** Tokens between two tries of another count: at first, and at most. */
const [SOON, SELDOM] = [8, 64];

interface Record {
  recent: number[];
  /** Of another time: the next token counts alone. */
  isOld: boolean;
}

export function learningPace(threads: number): Pace {
  const counts = Array.from({ length: threads }, (_, index) => threads - index);
  const records = new Map<number, Record>(counts.map((count) => [count, { recent: [], isOld: false }]));
  const first = Array.from({ length: TRIES_AT_FIRST }, () => counts).flat();
  let untimed = UNTIMED;
  let best = threads;
  let since = 0;
  let between = SOON;
  let turn = 0;

  const typical = (count: number): number => middle(records.get(count)?.recent ?? []);
  const other = (): number => counts.filter((count) => count !== best)[turn % Math.max(1, threads - 1)] ?? best;
  return {
    get best() {
      return best;
    },
    next: () => (untimed > 0 ? threads : (first[0] ?? (since >= between ? other() : best))),
    took(count, ms) {
      if (untimed > 0) {
        untimed--;
        return;
      }
      const record = records.get(count);
      if (!record) return;
      const isAtFirst = first.length > 0;
      if (!isAtFirst && (record.isOld || count !== best)) record.recent = [];
      record.recent = [...record.recent, ms].slice(-LOOKED_AT);
      record.isOld = false;
      if (isAtFirst) {
        first.shift();
        if (first.length > 0) return;
      }
      const isTry = !isAtFirst && count !== best;
      since = isTry ? 0 : since + 1;
      if (isTry) {
        turn++;
        between = Math.min(SELDOM, 2 * between);
      }
      const now = counts.reduce((soonest, each) => (typical(each) < typical(soonest) ? each : soonest), best);
      if (now === best) return;
      const its = records.get(now);
      if (its) its.isOld = now !== count;
      best = now;
      [since, between] = [0, SOON];
    },
  };
}

/** The lower one of two. */
const middle = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[(values.length - 1) >> 1] ?? Infinity;
