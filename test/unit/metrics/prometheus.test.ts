import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { familiesOf } from "../../../worker/metrics/families.ts";
import { exposition } from "../../../worker/metrics/prometheus.ts";
import { tallyOf } from "../../../worker/metrics/tally.ts";
import { parseExposition } from "../../support/prometheus.ts";

describe("the exposition", () => {
  test("is what the format's own example looks like", () => {
    const text = exposition([
      { type: "counter", name: "http_requests_total", help: "The total number of HTTP requests.", samples: [{ labels: { method: "post", code: "200" }, value: 1027 }] },
      { type: "summary", name: "rpc_seconds", help: "RPC duration.", samples: [{ labels: {}, quantiles: { "0.5": 0.25, "0.99": null }, sum: 17.5, count: 2693 }] },
    ]);
    expect(text).toBe(
      `# HELP http_requests_total The total number of HTTP requests.\n# TYPE http_requests_total counter\nhttp_requests_total{method="post",code="200"} 1027\n` +
        `# HELP rpc_seconds RPC duration.\n# TYPE rpc_seconds summary\nrpc_seconds{quantile="0.5"} 0.25\nrpc_seconds{quantile="0.99"} NaN\nrpc_seconds_sum 17.5\nrpc_seconds_count 2693\n`,
    );
  });

  test("brings any label and any number through a reader unchanged", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }).map((text) => text.replaceAll("\r", "")), fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), (label, value) => {
        const text = exposition([{ type: "gauge", name: "g", help: 'a \\ b\nc "d"', samples: [{ labels: { label }, value }] }]);
        expect(parseExposition(text).samples).toEqual([{ name: "g", labels: { label }, value: value === 0 ? 0 : value }]);
      }),
    );
  });

  test("refuses names that are none", () => {
    expect(() => exposition([{ type: "gauge", name: "no-name", help: "", samples: [] }])).toThrow("no name");
    expect(() => exposition([{ type: "gauge", name: "g", help: "", samples: [{ labels: { "a-b": "" }, value: 1 }] }])).toThrow("no name");
  });
});

test("families: counters and sums of all time, quantiles of what is recent, in seconds", () => {
  const cost = { day: "d", leaseId: "l", model: "m", revision: "r", inputTokens: 3, outputTokens: 4, unreportedTokens: 0, calls: 1, costNanos: 9, outcome: "ok", errorCode: null, latencyMs: 500, ttftMs: null, backend: "wasm", cache: "hit" } as const;
  const total = tallyOf([cost, { ...cost, latencyMs: 1_500, outcome: "ok", backend: "webgpu" }, { ...cost, outcome: "expired", latencyMs: null }]);
  const { types, samples } = parseExposition(exposition(familiesOf([{ labels: { tenant: "acme", model: "m" }, total, recent: tallyOf([cost]) }])));
  const value = (name: string, more: Record<string, string> = {}) => samples.find((sample) => sample.name === name && Object.entries(more).every(([key, text]) => sample.labels[key] === text))?.value;
  expect(types.get("leasehold_inferences_total")).toBe("counter");
  expect(types.get("leasehold_inference_latency_seconds")).toBe("summary");
  expect(value("leasehold_inferences_total", { outcome: "ok", backend: "webgpu", cache: "hit" })).toBe(1);
  expect(value("leasehold_leases_unreported_total", { reason: "expired" })).toBe(1);
  expect(value("leasehold_tokens_total", { kind: "output" })).toBe(12);
  expect(value("leasehold_cost_nanodollars_total")).toBe(27);
  expect(value("leasehold_inference_latency_seconds", { quantile: "0.99" })).toBeCloseTo(0.5, 2);
  expect([value("leasehold_inference_latency_seconds_sum"), value("leasehold_inference_latency_seconds_count")]).toEqual([2, 2]);
  expect(value("leasehold_inference_first_token_seconds", { quantile: "0.5" })).toBeNaN();
});
