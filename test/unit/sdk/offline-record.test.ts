import fc from "fast-check";
import { expect, it } from "vitest";
import { acknowledge, end, enter, isRunnable, type OfflineRecord, recordOf, take, tokensLeft } from "../../../client/sdk/offline-record.ts";
import type { UsageReport } from "../../../schema/contract/leases.ts";
import { granted } from "./examples.ts";

const BEFORE = Date.parse("2026-11-22T10:04:59Z");
const AFTER = Date.parse("2026-11-22T10:05:00Z");
const ID = "req_1" as UsageReport["request_id"];
const report = (input_tokens: number, output_tokens = 0): UsageReport => ({ seq: 0, request_id: ID, input_tokens, output_tokens, outcome: "ok", latency_ms: 5, backend: "wasm", cache: "hit", final: true });
const fresh = () => recordOf(granted({ hold: 200, calls: 100 }), {} as CryptoKey);

it("keeps neither the content key's text nor balances", () => {
  expect(Object.keys(fresh().grant)).not.toEqual(expect.arrayContaining(["content_key"]));
  expect(fresh().grant).not.toHaveProperty("quota");
});

it("keeps the key to the weights for no longer than the lease, though reports wait for a network", () => {
  const entered = enter(take(fresh(), 10, BEFORE) as OfflineRecord, 10, report(5));
  expect(entered.contentKey).not.toBeNull();
  expect(end(entered, ID)).toMatchObject({ contentKey: null, queue: [{ input_tokens: 5 }, { final: true }] });
});

it("gives tokens until there are none left, and none once the lease is over or ended", () => {
  const used = take(fresh(), 150, BEFORE);
  expect(used && tokensLeft(used)).toBe(50);
  expect(used && take(used, 51, BEFORE)).toBeNull();
  expect(take(fresh(), 1, AFTER)).toBeNull();
  expect(take(end(fresh(), ID), 1, BEFORE)).toBeNull();
  expect(isRunnable(fresh(), AFTER)).toBe(false);
});

it("counts calls: those that came to something are reported, and none begins beyond those held", () => {
  const two = recordOf(granted({ hold: 200, calls: 2 }), {} as CryptoKey);
  const once = enter(take(two, 10, BEFORE) as OfflineRecord, 10, report(10));
  const failed = enter(take(once, 10, BEFORE) as OfflineRecord, 10, { ...report(0), outcome: "error" });
  const twice = enter(take(failed, 10, BEFORE) as OfflineRecord, 10, report(5));
  expect(take(twice, 1, BEFORE)).toBeNull();
  expect(end(twice, ID).queue.map(({ calls }) => calls)).toEqual([1, 0, 1, 0]);
});

it("numbers what it reports, gives back what a run did not use, and ends with a final report", () => {
  const taken = take(fresh(), 150, BEFORE) as OfflineRecord;
  const entered = enter(taken, 150, report(20, 10));
  expect(tokensLeft(entered)).toBe(170);
  const ended = end(entered, ID);
  expect(end(ended, ID)).toBe(ended);
  expect(ended.queue.map(({ seq, final, input_tokens, output_tokens }) => ({ seq, final, tokens: input_tokens + output_tokens }))).toEqual([
    { seq: 1, final: false, tokens: 30 },
    { seq: 2, final: true, tokens: 0 },
  ]);
  expect(acknowledge(ended, 1)?.queue).toHaveLength(1);
  expect(acknowledge(acknowledge(ended, 1) as OfflineRecord, 2)).toBeNull();
});

it("reports a run that was still going when the lease was ended, before the final report", () => {
  const running = take(take(fresh(), 50, BEFORE) as OfflineRecord, 70, BEFORE) as OfflineRecord;
  const ended = end(enter(running, 50, report(30)), ID);
  const told = enter(ended, 70, report(40));
  expect(told).toMatchObject({ isEnded: true, contentKey: null });
  expect(told.queue.map(({ seq, final, input_tokens }) => ({ seq, final, tokens: input_tokens }))).toEqual([
    { seq: 1, final: false, tokens: 30 },
    { seq: 3, final: false, tokens: 40 },
    { seq: 2, final: true, tokens: 0 },
  ]);
  // The final report was under way meanwhile: what is left is sent, and the control plane says that it comes too late.
  expect(acknowledge(acknowledge(told, 1) as OfflineRecord, 2)?.queue).toMatchObject([{ seq: 3, input_tokens: 40 }]);
});

it("never reports more than the hold, whatever runs, stops and is sent in whatever order", () => {
  const step = fc.record({ take: fc.integer({ min: 1, max: 120 }), share: fc.float({ min: 0, max: 1, noNaN: true }), isLost: fc.boolean(), isSent: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      let record = fresh();
      let reported = 0;
      const seqs: number[] = [];
      for (const { take: tokens, share, isLost, isSent } of steps) {
        const taken = take(record, tokens, BEFORE);
        if (!taken) continue;
        record = isLost ? taken : enter(taken, tokens, report(Math.floor(tokens * share)));
        const next = record.queue[0];
        if (!isSent || !next) continue;
        reported += next.input_tokens;
        seqs.push(next.seq);
        record = acknowledge(record, next.seq) as OfflineRecord;
      }
      const rest = record.queue.reduce((sum, { input_tokens }) => sum + input_tokens, 0);
      expect(reported + rest).toBeLessThanOrEqual(200);
      expect(tokensLeft(record)).toBeGreaterThanOrEqual(0);
      const all = [...seqs, ...record.queue.map(({ seq }) => seq)];
      expect(all).toEqual(all.map((_, at) => at + 1));
    }),
  );
});
