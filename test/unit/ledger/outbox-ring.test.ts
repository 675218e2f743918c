/** The ring on a real SQLite (Node's): the same statements that the tenant object runs. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EMPTY_CHAIN, chain } from "../../../worker/ledger/audit-chain.ts";
import { OutboxRing, RING, slotFor } from "../../../worker/ledger/outbox-ring.ts";
import type { Store } from "../../../worker/ledger/store.ts";
import { memoryStore } from "../../support/sqlite-storage.ts";

const put = (ring: OutboxRing, count: number) => {
  for (let i = 0; i < count; i++) ring.put({ event: chain("acme", ring.newest, { action: "LEASE_GRANTED", actor: "key", details: { i } }, 1) });
};
const rowsIn = (store: Store) => store.first<{ n: number }>("SELECT count(*) AS n FROM outbox")?.n;
const sendAll = (ring: OutboxRing) => {
  for (let batch = ring.waiting(200); batch.length > 0; batch = ring.waiting(200)) ring.ack((batch.at(-1) as (typeof batch)[number]).record);
};

describe("the outbox", () => {
  test("gives what waits in the order of the chain, and forgets what was sent", () => {
    const ring = new OutboxRing(memoryStore().store);
    expect([ring.size, ring.waiting(10), ring.newest]).toEqual([0, [], EMPTY_CHAIN]);
    put(ring, 25);
    expect(ring.waiting(10).map(({ record }) => record.event.seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    ring.ack((ring.waiting(10).at(-1) as ReturnType<OutboxRing["waiting"]>[number]).record);
    expect(ring.waiting(100).map(({ record }) => record.event.seq)).toEqual(Array.from({ length: 15 }, (_, index) => index + 11));
    expect([ring.sent.seq, ring.size]).toEqual([10, 15]);
  });

  test("never holds more rows than the ring while D1 keeps up, however much goes through", () => {
    const store = memoryStore().store;
    const ring = new OutboxRing(store);
    for (let round = 0; round < 30; round++) {
      put(ring, 400);
      sendAll(ring);
    }
    expect(ring.newest.seq).toBe(12_000);
    expect(rowsIn(store)).toBe(RING);
  });

  test("loses nothing in an outage longer than the ring, and shrinks after it", () => {
    const store = memoryStore().store;
    const ring = new OutboxRing(store);
    put(ring, 2 * RING + 100);
    expect([ring.size, new OutboxRing(store).newest]).toEqual([2 * RING + 100, ring.newest]);
    const sent: number[] = [];
    for (let batch = ring.waiting(200); batch.length > 0; batch = ring.waiting(200)) {
      sent.push(...batch.map(({ record }) => record.event.seq));
      ring.ack((batch.at(-1) as (typeof batch)[number]).record);
    }
    expect(sent).toEqual(Array.from({ length: 2 * RING + 100 }, (_, index) => index + 1));
    expect(rowsIn(store)).toBe(RING);
  });

  test("what was counted stays counted when less is sent, and what was sent was counted", () => {
    const store = memoryStore().store;
    const ring = new OutboxRing(store);
    put(ring, 5);
    ring.fold(5, true);
    const [first] = ring.waiting(1) as [ReturnType<OutboxRing["waiting"]>[number]];
    ring.ack(first.record);
    expect([ring.folded, new OutboxRing(store).folded]).toEqual([5, 5]);
    put(ring, 1);
    ring.fold(6, false);
    const woken = new OutboxRing(store);
    expect([ring.folded, woken.folded]).toEqual([6, 5]);
    sendAll(woken);
    expect([woken.folded, new OutboxRing(store).folded]).toEqual([6, 6]);
  });

  test("is found again as it was by an object that wakes up, at any moment", { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.record({ put: fc.integer({ min: 1, max: 90 }) }), fc.record({ send: fc.integer({ min: 1, max: 90 }) }), fc.record({ fold: fc.constant(true) })), { maxLength: 40 }), (steps) => {
        const store = memoryStore().store;
        const ring = new OutboxRing(store);
        for (const step of steps) {
          if ("put" in step) put(ring, step.put);
          if ("fold" in step) ring.fold(ring.newest.seq, true);
          if ("send" in step) {
            const last = ring.waiting(step.send).at(-1);
            if (last) ring.ack(last.record);
          }
          const woken = new OutboxRing(store);
          expect([woken.newest, woken.size, woken.sent]).toEqual([ring.newest, ring.size, ring.sent]);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("no event ever takes the slot of one that waits", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 0, max: 3 * RING }), fc.integer({ min: 0, max: 3 * RING }), (sent, a, b) => {
        const [first, second] = [sent + 1 + a, sent + 1 + b];
        return first === second || slotFor(first, sent) !== slotFor(second, sent);
      }),
      { numRuns: 5_000 },
    );
  });

  test("a batch never weighs more than one statement to D1 takes, and is never empty while something waits", () => {
    const ring = new OutboxRing(memoryStore().store);
    for (let i = 0; i < 8; i++) ring.put({ event: chain("acme", ring.newest, { action: "POLICY_CHANGED", actor: "key", details: { text: "x".repeat(250_000) } }, 1) });
    expect(ring.waiting(200).length).toBe(2);
    const other = new OutboxRing(memoryStore().store);
    other.put({ event: chain("acme", other.newest, { action: "POLICY_CHANGED", actor: "key", details: { text: "x".repeat(1_500_000) } }, 1) });
    expect(other.waiting(200).length).toBe(1);
  });
});
