/** One row against the one before it: every column counts, and so does the form in which it stands. */
import { describe, expect, test } from "vitest";
import { type StoredEvent, faultOfEvent } from "../../../worker/audit/verify-chain.ts";
import { type AuditEntry, type ChainHead, canonicalJson, chain, hashOf } from "../../../worker/ledger/audit-chain.ts";

const previous: ChainHead = { seq: 4, hash: "e".repeat(64), at: 1_000 };
const stored = ({ user: userId, details, ...entry }: AuditEntry): StoredEvent => ({ ...entry, userId, details: canonicalJson(details) });
const fact = { action: "LEASE_GRANTED", actor: "key_1", user: "u", model: "ocr", requestId: "req_1", details: { b: 1, a: [null, "x"] } } as const;
const row = stored(chain("acme", previous, fact, 2_000));
const faultOf = (more: Partial<StoredEvent> | { seq: unknown }, from: ChainHead = previous) => faultOfEvent("acme", from, { ...row, ...more } as StoredEvent);
/** The row as somebody would write it who knows how hashes are made. */
const rehashed = (more: Partial<AuditEntry>) => {
  const { hash: _, ...open } = { ...chain("acme", previous, fact, 2_000), ...more };
  return stored({ ...open, hash: hashOf("acme", open) });
};

test("the event that was written is right, at the instant of the one before it too", () => {
  expect(faultOf({})).toBeNull();
  expect(faultOfEvent("acme", previous, stored(chain("acme", previous, fact, 500)))).toBeNull();
});

describe("altered:", () => {
  test.each<[keyof StoredEvent, unknown]>([
    ["at", 2_001], ["action", "LEASE_DENIED"], ["actor", "key_2"], ["userId", "v"], ["userId", null], ["model", null], ["requestId", "req_2"], ["prevHash", "f".repeat(64)], ["hash", "f".repeat(64)],
    ["details", '{"a":[null,"x"],"b":2}'],
    // The same to whoever parses it, but not what was hashed.
    ["details", '{"b":1,"a":[null,"x"]}'], ["details", '{"a":[null,"x"], "b":1}'], ["details", '{"a":[null,"x"],"b":1,"b":1}'], ["details", '{"a":[null,"x"],"b":1.0}'],
    ["details", "no JSON"], ["details", ""], ["details", "null"],
  ])("%s as %j", (column, value) => {
    expect(faultOf({ [column]: value })).toEqual({ brokenAt: 5, reason: "event-altered" });
  });

  test("nothing, but the tenant is another", () => {
    expect(faultOfEvent("globex", previous, row)).toEqual({ brokenAt: 5, reason: "event-altered" });
  });
});

describe("its number:", () => {
  test.each<[unknown, string, unknown]>([
    [6, "event-missing", 5], [400, "event-missing", 5], [4, "event-surplus", 4], [0, "event-surplus", 0], [-3, "event-surplus", -3],
    [5.5, "event-surplus", 5], ["5", "event-surplus", 5], [null, "event-surplus", 5], [2 ** 53, "event-surplus", 5],
  ])("%j is %s at %j", (seq, reason, brokenAt) => {
    expect(faultOf({ seq })).toEqual({ brokenAt, reason });
  });
});

test("well hashed, but not after the one before it, or earlier than it", () => {
  expect(faultOf({}, { ...previous, hash: "d".repeat(64) })).toEqual({ brokenAt: 5, reason: "link-broken" });
  expect(faultOfEvent("acme", previous, rehashed({ prevHash: "d".repeat(64) }))).toEqual({ brokenAt: 5, reason: "link-broken" });
  expect(faultOfEvent("acme", previous, rehashed({ at: 999 }))).toEqual({ brokenAt: 5, reason: "link-broken" });
  expect(faultOfEvent("acme", previous, rehashed({ at: 1_000 }))).toBeNull();
});
