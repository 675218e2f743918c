import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CostEntry } from "../../../worker/ledger/journal.ts";
import { EMPTY_TALLY, merged, tallyOf } from "../../../worker/metrics/tally.ts";
import { valuesOf } from "../../../worker/metrics/values.ts";

const base: CostEntry = {
  day: "2026-11-22", leaseId: "ls", model: "m", revision: "r", inputTokens: 0, outputTokens: 0, unreportedTokens: 0, calls: 1, costNanos: 0,
  outcome: "ok", errorCode: null, latencyMs: 0, ttftMs: null, backend: "wasm", cache: "hit",
};
const report = (more: Partial<CostEntry>): CostEntry => ({ ...base, ...more });
const anyCost: fc.Arbitrary<CostEntry> = fc
  .record({
    outcome: fc.constantFrom("ok", "error", "aborted", "expired", "revoked" as const), backend: fc.constantFrom("webgpu", "wasm", "cloud"), cache: fc.constantFrom("hit", "miss"),
    inputTokens: fc.nat(500), outputTokens: fc.nat(500), unreportedTokens: fc.nat(500), costNanos: fc.nat(1e6), latencyMs: fc.nat(90_000), ttftMs: fc.option(fc.nat(5_000)),
  })
  .map((more) => report(more as Partial<CostEntry>));

describe("a tally", () => {
  test("says how inferences went", () => {
    const values = valuesOf(
      tallyOf([
        report({ latencyMs: 100, ttftMs: 40, inputTokens: 10, outputTokens: 20, backend: "webgpu", costNanos: 7 }),
        report({ latencyMs: 300, inputTokens: 5, outputTokens: 20, cache: "miss", costNanos: 8 }),
        report({ outcome: "error", latencyMs: 9_000, errorCode: "device-lost", backend: "webgpu" }),
        report({ outcome: "aborted", latencyMs: 50, outputTokens: 3, costNanos: 1 }),
        report({ outcome: "expired", latencyMs: null, backend: null, cache: null, unreportedTokens: 90, costNanos: 180 }),
        report({ outcome: "revoked", latencyMs: null, backend: null, cache: null, unreportedTokens: 10, costNanos: 20 }),
      ]),
    );
    expect(values).toEqual({
      "inference.count": 4, "inference.errors": 1, "inference.aborted": 1, "inference.error_rate": 0.25,
      "inference.latency_p50": expect.closeTo(100, 0), "inference.latency_p95": expect.any(Number), "inference.latency_p99": expect.any(Number),
      "inference.ttft_p50": expect.closeTo(40, 0), "inference.ttft_p95": expect.closeTo(40, 0), "inference.ttft_p99": expect.closeTo(40, 0),
      "inference.tokens_per_second": 100,
      "model.cache_hits": 3, "model.cache_misses": 1, "model.cache_hit_rate": 0.75,
      "backend.webgpu": 2, "backend.wasm": 2, "backend.cloud": 0,
      "lease.expired": 1, "lease.revoked": 1, "tokens.input": 15, "tokens.output": 43, "tokens.unreported": 100, "cost.nanos": 216,
    });
  });

  test("of nothing has counts of 0 and no rates", () => {
    const values = valuesOf(EMPTY_TALLY);
    expect(values["inference.count"]).toBe(0);
    expect([values["inference.error_rate"], values["inference.latency_p99"], values["inference.tokens_per_second"], values["model.cache_hit_rate"]]).toEqual([null, null, null, null]);
  });

  test("merged of parts is the tally of the whole, however it is cut", () => {
    fc.assert(
      fc.property(fc.array(fc.array(anyCost, { maxLength: 30 }), { maxLength: 5 }), (parts) => {
        expect(merged(parts.map(tallyOf))).toEqual(tallyOf(parts.flat()));
        expect(merged([merged(parts.slice(0, 2).map(tallyOf)), ...parts.slice(2).map(tallyOf)])).toEqual(tallyOf(parts.flat()));
      }),
    );
  });
});
