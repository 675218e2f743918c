/** How long and how far blob reads go on under a pass after the object would refuse them. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { LeaseId, Sha256 } from "../../../schema/contract/ids.ts";
import { CHUNK_BYTES } from "../../../schema/contract/models.ts";
import { BookKeeper } from "../../../worker/ledger/books.ts";
import type { Delivered } from "../../../worker/ledger/desks/model-desk.ts";
import { EgressPasses } from "../../../worker/ledger/egress-passes.ts";
import { Mirrors } from "../../../worker/ledger/mirrors.ts";
import { type Pass, Passes } from "../../../worker/models/passes.ts";
import { memoryStore } from "../../support/sqlite-storage.ts";

const LEASE = "ls_acme_1" as LeaseId;
const DIGEST = "a".repeat(64) as Sha256;
const MIB = 1024 ** 2;
const START = Date.UTC(2026, 10, 20);
const identity = { tenant: "acme", isolation: "pooled", actor: LEASE, kind: "lease", keyId: null, leaseId: LEASE } as unknown as Pass["identity"];
const egress = { limit: null, held: 0, posted: 0, remaining: null, reset: null };

beforeEach(() => void vi.useFakeTimers({ now: START, toFake: ["Date"] }));
afterEach(() => void vi.useRealTimers());

/** An isolate that reads chunks of a large model, and an object that can revoke the lease. */
function reader(objectClock = () => Date.now()) {
  const { store } = memoryStore();
  const drawn = new EgressPasses(store, new BookKeeper(store, new Mirrors()));
  const passes = new Passes();
  const state = { revoked: false, asks: 0 };
  const ask = async (): Promise<Delivered> => {
    state.asks++;
    if (state.revoked) throw new Error("lease-revoked");
    const pass = drawn.draw("2026-11-20", 100 * CHUNK_BYTES, { limit: null, held: 0, posted: 0, resetsAt: 0 }, objectClock());
    return { identity, size: CHUNK_BYTES, delivery: { kind: "whole" }, from: "own", egress, pass: pass && { ...pass, identity, egress, chunks: { [DIGEST]: CHUNK_BYTES }, lent: [] } };
  };
  const read = () => passes.decide(LEASE, DIGEST, { method: "GET", range: undefined, ifRange: undefined, ifNoneMatch: undefined, ifMatch: undefined }, ask, () => undefined);
  return { state, read };
}

describe("after a lease is revoked", () => {
  test("reads go on for less than a second, then the object is asked and refuses", async () => {
    const { state, read } = reader();
    await read();
    state.revoked = true;
    vi.setSystemTime(START + 999);
    await read();
    expect(state.asks).toBe(1);
    vi.setSystemTime(START + 1000);
    await expect(read()).rejects.toThrow("lease-revoked");
  });

  test("and for no more than 64 MiB", async () => {
    const { state, read } = reader();
    await read();
    state.revoked = true;
    let bytes = 0;
    await expect((async () => { for (;;) bytes += (await read()).size; })()).rejects.toThrow("lease-revoked");
    expect(bytes).toBe(64 * MIB);
  });

  test("and no longer where the object's clock is ahead", async () => {
    const { state, read } = reader(() => Date.now() + 60_000);
    await read();
    state.revoked = true;
    vi.setSystemTime(START + 1000);
    await expect(read()).rejects.toThrow("lease-revoked");
  });
});

test("within the second, sixteen chunks ask no further", async () => {
  const { state, read } = reader();
  for (let chunk = 0; chunk < 17; chunk++) await read();
  expect(state.asks).toBe(1);
});
