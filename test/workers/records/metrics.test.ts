import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { d1 } from "../../support/d1-tap.ts";
import { type Exposed, parseExposition } from "../../support/prometheus.ts";
import { type TestTenant, getLease, objectOf, publishTinyModel, readyTenant, report } from "../../support/tenant.ts";

const time = clock();
afterEach(() => d1.heal());

const metrics = async (tenant: TestTenant, query = "") => expectStatus(await api.get(`/v1/tenants/${tenant.id}/metrics${query}`, { key: tenant.reader }), 200).json;
async function scraped(path: string, key: string) {
  const answer = expectStatus(await api.get(path, { key }), 200);
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return parseExposition(answer.text).samples;
}
const valueOf = (samples: readonly Exposed[], name: string, labels: Record<string, string>) =>
  samples.find((sample) => sample.name === name && Object.entries(labels).every(([label, text]) => sample.labels[label] === text))?.value;

async function run(tenant: TestTenant, body: Record<string, unknown>, model = "tiny"): Promise<void> {
  expectStatus(await report(await getLease(tenant, { model, tokens: 200 }), body, { key: tenant.secret }), 200);
}
const alarm = (tenant: TestTenant) => runDurableObjectAlarm(objectOf(tenant.id));

describe("a tenant's metrics", () => {
  test("hold what was reported, to the last report, and need no D1", async () => {
    time.set("2026-11-22T10:10:00Z");
    const tenant = await readyTenant();
    await publishTinyModel(tenant, { model: "other", fill: 9 });
    d1.fail(() => "refuse");
    for (let i = 1; i <= 20; i++) await run(tenant, { latency_ms: i * 100, ttft_ms: i * 10, input_tokens: 5, output_tokens: 10, backend: i % 4 === 0 ? "webgpu" : "wasm", cache: i === 1 ? "miss" : "hit" });
    await run(tenant, { outcome: "error", error_code: "device-lost", latency_ms: 60_000, backend: "webgpu" }, "other");
    const all = await metrics(tenant);
    expect(all.metrics).toMatchObject({
      "inference.count": 21, "inference.errors": 1, "inference.error_rate": 1 / 21, "model.cache_misses": 1, "model.cache_hits": 20,
      "backend.webgpu": 6, "backend.wasm": 15, "tokens.input": 100, "tokens.output": 200, "inference.tokens_per_second": 9.524,
    });
    expect(all.metrics["inference.latency_p50"]).toBeCloseTo(1_000, -2);
    expect(Math.abs(all.metrics["inference.latency_p95"] - 1_900)).toBeLessThan(20);
    expect(Math.abs(all.metrics["inference.latency_p99"] - 1_900)).toBeLessThan(20);
    expect(Math.abs(all.metrics["inference.ttft_p95"] - 190)).toBeLessThan(2);
    expect(all.models.other).toMatchObject({ "inference.count": 1, "inference.errors": 1, "inference.latency_p50": null });
  });

  test("are of the hours that are asked for", async () => {
    time.set("2026-11-22T10:10:00Z");
    const tenant = await readyTenant();
    for (const hour of [10, 11, 14]) {
      time.set(`2026-11-22T${hour}:30:00Z`);
      await run(tenant, { latency_ms: hour * 100 });
    }
    const count = async (query: string) => {
      const { since, until, metrics: values } = await metrics(tenant, query);
      return [since.slice(11, 13), until.slice(11, 13), values["inference.count"]];
    };
    expect(await count("?since=2026-11-22T10:59:00Z&until=2026-11-22T12:00:00Z")).toEqual(["10", "12", 2]);
    expect(await count("?since=2026-11-22T11:00:00Z&until=2026-11-22T11:00:00Z")).toEqual(["11", "12", 1]);
    expect(await count("?since=2026-11-22T12:00:00Z&until=2026-11-22T14:00:00Z")).toEqual(["12", "14", 0]);
    expect((await metrics(tenant)).metrics["inference.count"]).toBe(3);
    // At the ends of what a date can say, too, an answer says dates.
    const ends = async (query: string) => {
      const { since, until } = await metrics(tenant, query);
      return [since, until];
    };
    expect(await ends("?until=9999-12-31T23:59:59Z")).toEqual(["9999-12-30T23:00:00Z", "9999-12-31T23:00:00Z"]);
    expect(await ends("?until=0000-01-01T00:00:00Z")).toEqual(["1970-01-01T00:00:00Z", "1970-01-01T01:00:00Z"]);
    expect((await api.get(`/v1/tenants/${tenant.id}/metrics?since=2026-11-22T12:00:00Z&until=2026-11-22T11:00:00Z`, { key: tenant.reader })).code).toBe("invalid-request");
  });

  test("count each report once, through faults of D1 and evictions", async () => {
    time.set("2026-11-22T10:10:00Z");
    const tenant = await readyTenant();
    for (let i = 0; i < 12; i++) {
      d1.fail((call) => (call % 2 === 0 ? (["refuse", "lose"] as const)[i % 2] ?? null : null));
      await run(tenant, { latency_ms: 100, input_tokens: 1 });
      await alarm(tenant);
      if (i % 4 === 3) await evictDurableObject(objectOf(tenant.id));
      await metrics(tenant);
    }
    expect((await metrics(tenant)).metrics).toMatchObject({ "inference.count": 12, "tokens.input": 12 });
  });

  test("an old hour is forgotten, what was counted of all time is not", async () => {
    time.set("2026-10-01T10:10:00Z");
    const tenant = await readyTenant();
    await run(tenant, { latency_ms: 100 });
    await alarm(tenant);
    time.set("2026-11-22T10:10:00Z");
    await run(tenant, { latency_ms: 100 });
    await alarm(tenant);
    expect((await metrics(tenant, "?since=2026-09-01T00:00:00Z")).metrics["inference.count"]).toBe(1);
    const samples = await scraped(`/v1/tenants/${tenant.id}/metrics.prom`, tenant.reader);
    expect(valueOf(samples, "leasehold_inferences_total", { outcome: "ok" })).toBe(2);
  });
});

test("a tenant's scrape: counters of all time, quantiles of the last hours, its limits", async () => {
  time.set("2026-11-22T10:10:00Z");
  const tenant = await readyTenant({ daily_token_limit: 1_000 });
  await run(tenant, { latency_ms: 800, ttft_ms: 90, input_tokens: 7, output_tokens: 3 });
  const samples = await scraped(`/v1/tenants/${tenant.id}/metrics.prom`, tenant.reader);
  expect(valueOf(samples, "leasehold_inferences_total", { tenant: tenant.id, model: "tiny", outcome: "ok", backend: "wasm", cache: "hit" })).toBe(1);
  expect(valueOf(samples, "leasehold_inference_latency_seconds", { quantile: "0.95" })).toBeCloseTo(0.8, 2);
  expect(valueOf(samples, "leasehold_cost_nanodollars_total", {})).toBe(7 + 3 * 2 + 5);
  expect([valueOf(samples, "leasehold_quota_limit", { limit: "daily_token_limit" }), valueOf(samples, "leasehold_quota_posted", { limit: "daily_token_limit" })]).toEqual([1_000, 10]);
  time.set("2026-11-22T15:00:00Z");
  expect(valueOf(await scraped(`/v1/tenants/${tenant.id}/metrics.prom`, tenant.reader), "leasehold_inference_latency_seconds", { quantile: "0.95" })).toBeNaN();
});

describe("the operator's scrape", () => {
  const operator = () => scraped("/v1/metrics.prom", OPERATOR_KEY);

  test("has every tenant, and all of them as one", async () => {
    time.set("2027-03-01T10:10:00Z");
    const [a, b] = [await readyTenant(), await readyTenant()];
    for (let i = 0; i < 10; i++) await run(a, { latency_ms: 100 });
    for (let i = 0; i < 10; i++) await run(b, { latency_ms: 10_000 });
    for (const tenant of [a, b]) await alarm(tenant);
    const samples = await operator();
    expect(valueOf(samples, "leasehold_d1_up", {})).toBe(1);
    for (const tenant of [a, b]) expect(valueOf(samples, "leasehold_inferences_total", { tenant: tenant.id, outcome: "ok" })).toBe(10);
    expect(valueOf(samples, "leasehold_inference_latency_seconds", { tenant: a.id, quantile: "0.99" })).toBeCloseTo(0.1, 2);
    expect(valueOf(samples, "leasehold_deployment_inference_latency_seconds", { quantile: "0.5" })).toBeLessThan(0.11);
    expect(Math.abs((valueOf(samples, "leasehold_deployment_inference_latency_seconds", { quantile: "0.95" }) ?? 0) - 10)).toBeLessThan(0.2);
  });

  test("D1 gets a tenant's metrics once a minute at most, and the last of them for certain", async () => {
    time.set("2027-03-02T10:10:00Z");
    const tenant = await readyTenant();
    const counted = async () => valueOf(await operator(), "leasehold_inferences_total", { tenant: tenant.id, outcome: "ok" });
    await run(tenant, { latency_ms: 100 });
    await alarm(tenant);
    expect(await counted()).toBe(1);
    time.advance(10_000);
    await run(tenant, { latency_ms: 100 });
    await alarm(tenant);
    expect(await counted()).toBe(1);
    time.advance(51_000);
    await alarm(tenant);
    expect(await counted()).toBe(2);
    const before = await env.DB.prepare("SELECT version FROM model_metrics WHERE tenant_id = ?").bind(tenant.id).first();
    time.advance(600_000);
    await alarm(tenant);
    expect(await env.DB.prepare("SELECT version FROM model_metrics WHERE tenant_id = ?").bind(tenant.id).first()).toEqual(before);
  });

  test("says what it can while D1 is away: the lag", async () => {
    time.set("2027-03-03T10:10:00Z");
    const tenant = await readyTenant();
    await alarm(tenant);
    d1.fail(() => "refuse");
    await run(tenant, { latency_ms: 100 });
    await alarm(tenant);
    time.advance(30_000);
    const samples = await operator();
    expect(valueOf(samples, "leasehold_d1_up", {})).toBe(0);
    expect(valueOf(samples, "leasehold_projection_lag_events", { tenant: tenant.id })).toBe(2);
    expect(valueOf(samples, "leasehold_projection_lag_seconds", { tenant: tenant.id })).toBe(30);
    expect(valueOf(samples, "leasehold_projection_tenants_behind", {})).toBe(1);
  });
});
