/**
 * Whether single tokens come sooner from all threads together or from one alone: learned while they come. Pure.
 *
 * - On free cores together is sooner; where other work has the cores, whoever waits for a thread that isn't running
 *   waits long. That changes from one moment to the next, so the other way is tried again now and then.
 */
export interface Pace {
  /** For the next token. */
  isTogether(): boolean;
  took(isTogether: boolean, ms: number): void;
}

/** One token in so many goes the way that seems slower. */
const TRY_EVERY = 40;
/** How much the newest counts, of the way that is gone. */
const NEWEST = 0.25;
/** Code is slow while it is new. */
const UNTIMED = 3;

export function learningPace(): Pace {
  const ms: { together: number | null; alone: number | null } = { together: null, alone: null };
  let since = 0;
  let untimed = UNTIMED;
  return {
    isTogether() {
      if (ms.together === null) return true;
      if (ms.alone === null) return false;
      const better = ms.together <= ms.alone;
      return since >= TRY_EVERY ? !better : better;
    },
    took(isTogether, took) {
      if (untimed > 0) {
        untimed--;
        return;
      }
      const way = isTogether ? "together" : "alone";
      const other = ms[isTogether ? "alone" : "together"];
      const before = ms[way];
      const isUsual = before !== null && other !== null && before <= other;
      ms[way] = isUsual ? (1 - NEWEST) * before + NEWEST * took : took;
      since = isUsual ? since + 1 : 0;
    },
  };
}
