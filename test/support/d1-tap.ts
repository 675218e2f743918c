/**
 * D1 as the Worker under test sees it: the real binding behind a tap that hears every statement and can be made to fail.
 *
 * - `heard` collects each statement with its values, once per distinct text: the witness of isolation reads it.
 * - A fault is asked for every call to D1 (a statement or a batch) and decides that call alone:
 *   `refuse` throws and nothing is done; `lose` does it and throws; `hang` never answers and nothing is done;
 *   `late` does it and never answers; `delay` does it when `release` is called, long after the caller gave up, and
 *   answers nothing. All that hangs ends with `release`.
 */

import { isBucket, tapBucket } from "./r2-tap.ts";

export type Fault = "refuse" | "lose" | "hang" | "late" | "delay" | null;

export interface Heard {
  readonly sql: string;
  readonly values: readonly unknown[];
}

export interface CallMeta {
  readonly rowsWritten: number;
  readonly rowsRead: number;
}

export const heard = new Map<string, Heard>();

/** `about`: the first value that was bound, in the Worker's statements the tenant. */
type FaultOf = (call: number, about: unknown) => Fault;

let faultOf: FaultOf = () => null;
let calls = 0;
let meta: CallMeta = { rowsRead: 0, rowsWritten: 0 };
const hanging: (() => Promise<void>)[] = [];

/** The tap's controls, for tests. */
export const d1 = {
  /** From now on `fault(n)` decides the n-th call, from 0. */
  fail(fault: FaultOf): void {
    calls = 0;
    faultOf = fault;
  },
  heal(): void {
    faultOf = () => null;
  },
  /** Ends what hangs: what was delayed is done now. */
  async release(): Promise<void> {
    for (const end of hanging.splice(0)) await end();
  },
  /** Leaves what hangs to hang: the object that asked is gone. */
  forget(): void {
    hanging.length = 0;
  },
  get hanging(): number {
    return hanging.length;
  },
  /** Rows written and read by the calls that were answered since the last time this was asked. */
  takeMeta(): CallMeta {
    const taken = meta;
    meta = { rowsRead: 0, rowsWritten: 0 };
    return taken;
  },
};

async function guarded<T>(about: unknown, work: () => Promise<T>): Promise<T> {
  const fault = faultOf(calls++, about);
  switch (fault) {
    case null:
      return counted(await work());
    case "refuse":
      throw new Error("D1_ERROR: refused by the test");
    case "lose":
      counted(await work());
      throw new Error("D1_ERROR: the answer was lost by the test");
    case "late":
      counted(await work());
      return hang();
    case "hang":
      return hang();
    case "delay":
      return hang(async () => void counted(await work()));
  }
}

const hang = (first: () => Promise<void> = async () => undefined) =>
  new Promise<never>((_, reject) => {
    hanging.push(async () => {
      await first();
      reject(new Error("D1 answered too late"));
    });
  });

function counted<T>(answer: T): T {
  for (const part of Array.isArray(answer) ? answer : [answer]) {
    const { meta: of } = (part ?? {}) as Partial<D1Result>;
    if (of) meta = { rowsRead: meta.rowsRead + of.rows_read, rowsWritten: meta.rowsWritten + of.rows_written };
  }
  return answer;
}

class TappedStatement {
  readonly sql: string;
  readonly values: readonly unknown[];
  readonly inner: D1PreparedStatement;

  constructor(sql: string, values: readonly unknown[], inner: D1PreparedStatement) {
    this.sql = sql;
    this.values = values;
    this.inner = inner;
  }

  bind(...values: unknown[]): TappedStatement {
    return new TappedStatement(this.sql, values, this.inner.bind(...values));
  }
  all(): Promise<unknown> {
    return this.#sent(() => this.inner.all());
  }
  run(): Promise<unknown> {
    return this.#sent(() => this.inner.run());
  }
  first(column?: string): Promise<unknown> {
    return this.#sent(() => (column === undefined ? this.inner.first() : this.inner.first(column)));
  }
  raw(options?: { columnNames?: false }): Promise<unknown> {
    return this.#sent(() => this.inner.raw(options));
  }
  hear(): void {
    if (!heard.has(this.sql)) heard.set(this.sql, { sql: this.sql, values: this.values });
  }

  #sent<T>(work: () => Promise<T>): Promise<T> {
    this.hear();
    return guarded(this.values[0], work);
  }
}

const tapped = new WeakMap<D1Database, D1Database>();

function tap(db: D1Database): D1Database {
  let tapping = tapped.get(db);
  if (!tapping) {
    const made = {
      prepare: (sql: string) => new TappedStatement(sql, [], db.prepare(sql)),
      batch: (statements: readonly TappedStatement[]) => {
        for (const statement of statements) statement.hear();
        return guarded(statements[0]?.values[0], () => db.batch(statements.map(({ inner }) => inner)));
      },
      exec: (sql: string) => {
        heard.set(sql, { sql, values: [] });
        return guarded(null, () => db.exec(sql));
      },
      withSession: () => {
        throw new Error("the tap knows no sessions: teach it before the Worker uses them");
      },
    };
    tapping = made as unknown as D1Database;
    tapped.set(db, tapping);
  }
  return tapping;
}

const environments = new WeakMap<object, object>();

/** The environment with every D1 and R2 binding tapped; the same one for the same environment. */
export function tapEnv<E extends object>(env: E): E {
  let made = environments.get(env);
  if (!made) {
    made = Object.fromEntries(Object.entries(env).map(([name, binding]) => [name, isD1(binding) ? tap(binding) : isBucket(binding) ? tapBucket(binding) : binding]));
    environments.set(env, made);
  }
  return made as E;
}

const isD1 = (binding: unknown): binding is D1Database => binding instanceof Object && binding.constructor.name === "D1Database";
