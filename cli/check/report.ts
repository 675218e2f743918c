/** Collects what holds and what does not: a line each, and a closing line. */

export interface Report {
  /** Runs one check; a throw is a failure with its message, and the next check runs. */
  check(name: string, prove: () => Promise<string | void>): Promise<void>;
  /** Prints the closing line. Whether everything held. */
  close(): boolean;
}

export function openReport(print: (line: string) => void): Report {
  let passed = 0;
  let failed = 0;
  return {
    async check(name, prove) {
      try {
        const detail = await prove();
        passed++;
        print(`ok    ${name}${detail ? ` (${detail})` : ""}`);
      } catch (error) {
        failed++;
        print(`FAIL  ${name}\n      ${(error as Error).message.trimEnd().replaceAll("\n", "\n      ")}`);
      }
    },
    close() {
      print(`\n${passed} passed, ${failed} failed`);
      return failed === 0;
    },
  };
}

/** Throws unless both are the same as JSON. */
export function expectSame(what: string, actual: unknown, expected: unknown): void {
  const [found, wanted] = [JSON.stringify(actual, null, 1), JSON.stringify(expected, null, 1)];
  if (found !== wanted) throw new Error(`${what}\nexpected ${wanted}\nfound    ${found}`);
}

export function expectTrue(what: string, holds: boolean): void {
  if (!holds) throw new Error(what);
}

/** Asks until the answer satisfies, for `seconds`; then the last answer, whatever it is. */
export async function eventually<T>(ask: () => T | Promise<T>, satisfies: (answer: T) => boolean, seconds = 15): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (satisfies(answer) || performance.now() > deadline) return answer;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
