import { expect, it } from "vitest";
import { Pool } from "../../../client/pool/pool.ts";
import { PlaceInPool } from "../../../client/sdk/place-in-pool.ts";

const { signal } = new AbortController();

function makePool() {
  return new Pool({ budgetBytes: 100, idleMs: 1_000_000, unload: () => undefined });
}

/** A model that takes room and is at work until it is gone. */
async function busy(pool: Pool, model: string, bytes: number): Promise<void> {
  await pool.admit(model, bytes);
}

it("is taken, and kept once the model runs", async () => {
  const pool = makePool();
  const place = new PlaceInPool(pool, "a", 50, false);
  expect(place.isTaken).toBe(false);
  await place.take(signal);
  expect([place.isTaken, pool.list()[0]?.state]).toEqual([true, "loading"]);
  place.keep();
  expect(pool.list()).toMatchObject([{ model: "a", state: "ready", bytes: 50 }]);
  pool.close();
});

it("is given back where the load fails", async () => {
  const pool = makePool();
  const place = new PlaceInPool(pool, "a", 50, false);
  await place.take(signal);
  place.leave();
  expect([place.isTaken, pool.list()]).toEqual([false, []]);
});

it("is not taken by a load that failed while it waited for room", async () => {
  const pool = makePool();
  await busy(pool, "other", 80);
  const place = new PlaceInPool(pool, "a", 50, false);
  const waiting = place.take(signal);
  place.leave();
  await expect(waiting).rejects.toMatchObject({ code: "aborted" });
  pool.gone("other");
  await new Promise((resolve) => setTimeout(resolve));
  expect(pool.list()).toEqual([]);
  const next = new PlaceInPool(pool, "b", 100, false); // what nobody holds is there for others
  await next.take(signal);
  expect(next.isTaken).toBe(true);
});

it("is given back by a load that failed in the very moment of its admission", async () => {
  const pool = makePool();
  const place = new PlaceInPool(pool, "a", 50, false);
  const taking = place.take(signal);
  place.leave();
  await taking;
  expect([place.isTaken, pool.list()]).toEqual([false, []]);
});

it("beside what runs: both, until that has ended", async () => {
  const pool = makePool();
  await pool.admit("a", 40);
  pool.ready("a");
  const [failing, coming] = [new PlaceInPool(pool, "a", 50, true), new PlaceInPool(pool, "a", 50, true)];
  const bytes = () => pool.list()[0]?.bytes;
  await failing.take(signal);
  expect(bytes()).toBe(90);
  failing.leave();
  expect(bytes()).toBe(40);
  await coming.take(signal);
  coming.keep();
  expect(bytes()).toBe(90);
  pool.close();
});

it("is given back of the model as it was: one that was loaded anew meanwhile keeps its own", async () => {
  const pool = makePool();
  await pool.admit("a", 40);
  const [beside, anew] = [new PlaceInPool(pool, "a", 50, true), new PlaceInPool(pool, "a", 60, false)];
  await beside.take(signal);
  pool.gone("a");
  await anew.take(signal);
  beside.leave();
  expect(pool.list()).toMatchObject([{ model: "a", bytes: 60 }]);
  const [stopped, next] = [anew, new PlaceInPool(pool, "a", 70, false)];
  pool.gone("a");
  await next.take(signal);
  stopped.leave();
  expect(pool.list()).toMatchObject([{ model: "a", bytes: 70 }]);
});
