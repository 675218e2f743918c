import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Pool } from "../../../client/pool/pool.ts";
import { Turns } from "../../../client/pool/turns.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function makePool(budgetBytes = 100) {
  const unloaded: string[] = [];
  return { unloaded, pool: new Pool({ budgetBytes, idleMs: 1000, unload: (model) => unloaded.push(model) }) };
}

async function warm(pool: Pool, model: string, bytes = 50): Promise<void> {
  await pool.admit(model, bytes);
  pool.ready(model);
}

/** A call that goes on until it is ended. */
function call(pool: Pool, model: string) {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { end: resolve, done: pool.run(model, {}, () => promise) };
}

const settle = () => vi.advanceTimersByTimeAsync(0);
const names = (pool: Pool) => pool.list().map(({ model }) => model);

describe("a model that is loaded anew beside itself", () => {
  it("takes both while it is, and what is left when it was; idle models make room, busy ones are waited for", async () => {
    const { pool, unloaded } = makePool();
    await warm(pool, "a", 40);
    await warm(pool, "idle", 40);
    await pool.admitBeside("a", 50);
    expect([unloaded, pool.list()]).toEqual([["idle"], [{ model: "a", state: "ready", bytes: 90, pinned: false, waiting: 0 }]]);
    pool.giveBackOf("a", 40)();
    await warm(pool, "b", 50);
    const running = call(pool, "b");
    let isIn = false;
    const coming = pool.admitBeside("a", 50).then(() => {
      isIn = true;
    });
    await settle();
    expect(isIn).toBe(false);
    running.end();
    await coming;
    expect(pool.list()).toMatchObject([{ model: "a", bytes: 100 }]);
  });

  it("is not, where it has left meanwhile", async () => {
    const { pool } = makePool();
    await warm(pool, "a");
    await warm(pool, "b");
    const running = call(pool, "b");
    const coming = pool.admitBeside("a", 50);
    const giveBack = pool.giveBackOf("a", 10);
    pool.gone("a");
    running.end();
    await expect(coming).rejects.toMatchObject({ code: "aborted" });
    giveBack();
    expect(names(pool)).toEqual(["b"]);
  });

  it("counts what still runs of it, whichever ends first: the one before, or the one that is on its way", async () => {
    const { pool } = makePool(1000);
    await warm(pool, "a", 40);
    await pool.admitBeside("a", 50);
    const before = pool.giveBackOf("a", 40);
    const next = await pool.admitBeside("a", 60);
    before();
    expect(pool.list()).toMatchObject([{ bytes: 110 }]);
    next();
    expect(pool.list()).toMatchObject([{ bytes: 50 }]);
    pool.close();
  });
});

describe("a pool for two", () => {
  it("lets the third come for the one that was used longest ago", async () => {
    const { pool, unloaded } = makePool();
    await warm(pool, "a");
    await warm(pool, "b");
    await pool.run("a", {}, async () => undefined);
    await warm(pool, "c");
    expect(unloaded).toEqual(["b"]);
    expect(names(pool)).toEqual(["a", "c"]);
  });

  it("never lets a running or a held model go: the third waits until one is done", async () => {
    const { pool, unloaded } = makePool();
    await warm(pool, "a");
    await warm(pool, "b");
    const running = call(pool, "a");
    const release = pool.hold("b");
    let isIn = false;
    const coming = pool.admit("c", 50).then(() => {
      isIn = true;
    });
    await settle();
    expect(isIn).toBe(false);
    running.end();
    await Promise.all([running.done, coming]);
    expect(unloaded).toEqual(["a"]);
    release();
  });

  it("is full where pinned models leave too little, and not after they are unpinned", async () => {
    const { pool, unloaded } = makePool();
    for (const model of ["a", "b"]) {
      await warm(pool, model);
      pool.pin(model);
    }
    await expect(pool.admit("c", 50)).rejects.toMatchObject({ code: "pool-full" });
    pool.unpin("b");
    await pool.admit("c", 50);
    expect(unloaded).toEqual(["b"]);
  });

  it("is none of another tenant's: what fills one moves nothing in the other", async () => {
    const [acme, globex] = [makePool(), makePool()];
    await warm(acme.pool, "a");
    await warm(acme.pool, "b");
    const running = call(acme.pool, "a");
    for (const model of ["x", "y", "z"]) await warm(globex.pool, model);
    expect(globex.unloaded).toEqual(["x"]);
    expect(acme.unloaded).toEqual([]);
    expect(names(acme.pool)).toEqual(["a", "b"]);
    running.end();
    await running.done;
  });

  it("leaves nobody waiting whose signal fires", async () => {
    const { pool } = makePool();
    await warm(pool, "a", 100);
    const running = call(pool, "a");
    const stop = new AbortController();
    const coming = pool.admit("b", 50, stop.signal);
    stop.abort();
    await expect(coming).rejects.toMatchObject({ code: "aborted" });
    running.end();
    await running.done;
    expect(names(pool)).toEqual(["a"]);
  });

  it("gives the place of a load that failed to the next", async () => {
    const { pool, unloaded } = makePool();
    await pool.admit("a", 100);
    const coming = pool.admit("b", 100);
    pool.gone("a");
    await coming;
    expect(unloaded).toEqual([]);
    expect(names(pool)).toEqual(["b"]);
  });
});

describe("a model that nobody calls", () => {
  it("leaves after a while, counted from its last call, and never while it is pinned", async () => {
    const { pool, unloaded } = makePool();
    await warm(pool, "a");
    await vi.advanceTimersByTimeAsync(900);
    const running = call(pool, "a");
    await vi.advanceTimersByTimeAsync(5000);
    running.end();
    await running.done;
    await vi.advanceTimersByTimeAsync(900);
    expect(unloaded).toEqual([]);
    pool.pin("a");
    await vi.advanceTimersByTimeAsync(5000);
    expect(unloaded).toEqual([]);
    pool.unpin("a");
    await vi.advanceTimersByTimeAsync(1000);
    expect(unloaded).toEqual(["a"]);
  });

  it("leaves at once by unload, and after its calls where it has some", async () => {
    const { pool, unloaded } = makePool();
    await warm(pool, "a");
    pool.pin("a");
    const running = call(pool, "a");
    const leaving = pool.unload("a");
    await settle();
    expect(unloaded).toEqual([]);
    running.end();
    await Promise.all([running.done, leaving]);
    expect(unloaded).toEqual(["a"]);
    await pool.unload("a");
    expect(unloaded).toEqual(["a"]);
  });
});

it("lists what is warm, what runs and what waits", async () => {
  const { pool } = makePool();
  await warm(pool, "a");
  await pool.admit("b", 20);
  const calls = [call(pool, "a"), call(pool, "a")];
  await settle();
  expect(pool.list()).toEqual([
    { model: "a", state: "running", bytes: 50, pinned: false, waiting: 1 },
    { model: "b", state: "loading", bytes: 20, pinned: false, waiting: 0 },
  ]);
  for (const one of calls) one.end();
  await Promise.all(calls.map(({ done }) => done));
});

describe("turns", () => {
  it("go by priority, then by arrival; who leaves by its signal is passed over", async () => {
    const turns = new Turns();
    const over = await turns.take();
    const order: string[] = [];
    const wait = (name: string, ...wish: Parameters<Turns["take"]>) => turns.take(...wish).then((end) => (order.push(name), end()));
    const stop = new AbortController();
    const gone = turns.take("high", stop.signal);
    const waits = [wait("low", "low"), wait("first"), wait("second"), wait("high", "high")];
    stop.abort();
    await expect(gone).rejects.toMatchObject({ code: "aborted" });
    over();
    over();
    await Promise.all(waits);
    expect(order).toEqual(["high", "first", "second", "low"]);
    expect(turns).toMatchObject({ waiting: 0, isIdle: true });
  });

  it("are not given to whom has left already", async () => {
    const turns = new Turns();
    await expect(turns.take("normal", AbortSignal.abort())).rejects.toMatchObject({ code: "aborted" });
    expect(turns.isIdle).toBe(true);
  });
});
