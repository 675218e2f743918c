/**
 * D1 that fails: refuses, loses its answer, hangs, answers when nobody waits any more, is away for an hour. Leases are
 * granted and reported all the same, and in the end D1 has everything: once, in order, with the right sums.
 */
import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import { api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { type Fault, d1 } from "../../support/d1-tap.ts";
import { randomOf } from "../../support/random.ts";
import { type TestTenant, getLease, objectOf, readyTenant, report } from "../../support/tenant.ts";

const time = clock();
const SEEDS = env.TEST_SOAK ? 200 : 15;

afterEach(async () => {
  d1.heal();
  await d1.release();
});

interface Truth {
  readonly seq: number;
  readonly hash: string;
  readonly days: Record<string, unknown>[];
}

/** What the tenant object itself knows. */
async function truthOf(tenant: TestTenant): Promise<Truth> {
  return runInDurableObject(objectOf(tenant.id), (_, state) => {
    const { sql } = state.storage;
    const [last] = sql.exec<{ seq: number; record: string }>("SELECT seq, record FROM outbox ORDER BY seq DESC LIMIT 1").toArray();
    const days = sql.exec("SELECT day, model, user_id, input_tokens, output_tokens, unreported_tokens, calls, cost_nanos, version FROM usage_daily ORDER BY day, model, user_id").toArray();
    return { seq: last?.seq ?? 0, hash: JSON.parse(last?.record ?? "{}").event.hash as string, days };
  });
}

/** D1 has every event once and in order, every cost, and the object's own sums; and the chain verifies. */
async function expectComplete(tenant: TestTenant): Promise<void> {
  const verdict = expectStatus(await api.get(`/v1/tenants/${tenant.id}/audit/verify`, { key: tenant.reader }), 200).json;
  const truth = await truthOf(tenant);
  expect(verdict).toMatchObject({ valid: true, events: truth.seq, head: { hash: truth.hash } });
  const rows = async (sql: string) => (await env.DB.prepare(sql).bind(tenant.id).all()).results;
  expect(await rows("SELECT count(*) AS n, min(seq) AS first, max(seq) AS last FROM audit_events WHERE tenant_id = ?")).toEqual([{ n: truth.seq, first: 1, last: truth.seq }]);
  expect(await rows("SELECT day, model, user_id, input_tokens, output_tokens, unreported_tokens, calls, cost_nanos, version FROM usage_daily WHERE tenant_id = ? ORDER BY day, model, user_id")).toEqual(truth.days);
  const summed = "SELECT day, model, coalesce(user_id, '') AS user_id, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(unreported_tokens) AS unreported_tokens, sum(calls) AS calls, sum(cost_nanos) AS cost_nanos FROM cost_records WHERE tenant_id = ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
  expect(await rows(summed)).toEqual(truth.days.map(({ version: _, ...sums }) => sums));
}

const waitingOf = (tenant: TestTenant) =>
  runInDurableObject(objectOf(tenant.id), (_, state) => {
    const sent = state.storage.sql.exec<{ seq: number }>("SELECT seq FROM audit_head WHERE id = 1").toArray()[0]?.seq ?? 0;
    return (state.storage.sql.exec<{ seq: number }>("SELECT max(seq) AS seq FROM outbox").one().seq ?? 0) - sent;
  });

describe("random faults", () => {
  const start = Date.now() % 1_000_000;
  test.each(Array.from({ length: SEEDS }, (_, index) => start + index))("seed %i: any call may be refused or lose its answer; the object may be evicted at any moment", async (seed) => {
    const random = randomOf(seed);
    time.set("2026-11-22T10:00:00Z");
    const tenant = await readyTenant();
    d1.fail(() => random.pick<Fault>(["refuse", "lose", null]));
    for (let i = 0; i < 25; i++) {
      const lease = await getLease(tenant, { user: `u${random.int(0, 2)}`, ttl_s: random.pick([5, 300]) });
      if (random.int(0, 2) > 0) expectStatus(await report(lease, { input_tokens: random.int(0, 50), output_tokens: random.int(0, 50) }, { key: tenant.secret }), 200);
      if (random.int(0, 3) === 0) time.advance(random.int(1, 20_000));
      if (random.int(0, 3) === 0) await runDurableObjectAlarm(objectOf(tenant.id));
      if (random.int(0, 9) === 0) await evictDurableObject(objectOf(tenant.id));
    }
    d1.heal();
    time.advance(301_000);
    await expectComplete(tenant);
  });
});

test("one batch after another is lost after its commit: the same rows come again, and stand once", async () => {
  const tenant = await readyTenant();
  d1.fail(() => "lose");
  for (let i = 0; i < 30; i++) {
    await report(await getLease(tenant), { input_tokens: 3, output_tokens: 4 });
    if (i % 10 === 0) await runDurableObjectAlarm(objectOf(tenant.id));
  }
  expect(await waitingOf(tenant)).toBeGreaterThan(60);
  d1.heal();
  await expectComplete(tenant);
  expect(await waitingOf(tenant)).toBe(0);
});

test("D1 that hangs, is late, or does it when nobody waits any more: leases are granted meanwhile, and nothing is doubled", async () => {
  const faults: Exclude<Fault, null>[] = ["hang", "late", "delay"];
  const tenants = await Promise.all(faults.map(() => readyTenant()));
  const faultOf = new Map(tenants.map(({ id }, index) => [id, faults[index] as Fault]));
  for (const tenant of tenants) await report(await getLease(tenant), { input_tokens: 1 });
  const asked = new Set<unknown>();
  d1.fail((_, about) => {
    if (asked.has(about) || !faultOf.has(about as string)) return null;
    asked.add(about);
    return faultOf.get(about as string) ?? null;
  });
  const reading = tenants.map((tenant) => api.get(`/v1/tenants/${tenant.id}/billing`, { key: tenant.reader }));
  while (d1.hanging < 3) await new Promise((resolve) => setTimeout(resolve, 20));
  const began = performance.now();
  for (let i = 0; i < 10; i++) for (const tenant of tenants) await report(await getLease(tenant), { seq: 0, input_tokens: 2, output_tokens: 2 });
  expect(performance.now() - began, "grants and reports did not wait for D1").toBeLessThan(5_000);
  for (const answer of await Promise.all(reading)) expect([answer.status, answer.code]).toEqual([503, "unavailable"]);
  // The next attempt succeeds; then D1 does what was asked of it 10 seconds ago.
  for (const tenant of tenants) await expectComplete(tenant);
  await d1.release();
  for (const tenant of tenants) {
    await report(await getLease(tenant), { input_tokens: 5 });
    await expectComplete(tenant);
  }
}, 40_000);

test("D1 away for an hour: everything goes on, the lag can be seen, and all of it is there afterwards", async () => {
  time.set("2026-11-22T23:20:00Z");
  const tenant = await readyTenant({ requests_per_minute: 100 });
  d1.fail(() => "refuse");
  const started = await waitingOf(tenant);
  for (let minute = 0; minute < 60; minute++) {
    time.advance(60_000);
    const lease = await getLease(tenant, { user: `u${minute % 4}` });
    if (minute % 3 > 0) expectStatus(await report(lease, { input_tokens: 10, output_tokens: minute }), 200);
    await runDurableObjectAlarm(objectOf(tenant.id));
    if (minute === 30) await evictDurableObject(objectOf(tenant.id));
  }
  // What needs D1 says so; what does not goes on.
  expect((await api.get(`/v1/tenants/${tenant.id}/audit`, { key: tenant.reader })).code).toBe("unavailable");
  const away = await api.get("/readyz");
  expect([away.status, away.code]).toEqual([503, "unavailable"]);
  expect(away.json.detail).toMatch(/D1 does not answer.*: leases are granted.*[1-9]\d* events of 1 tenants wait, the oldest since 2026-11-22T23:2/);
  expect(away.text).not.toContain(tenant.id);
  expect(await waitingOf(tenant)).toBeGreaterThan(started + 100);
  d1.heal();
  time.advance(60_000);
  expect((await api.get("/readyz")).json).toMatchObject({ status: "ready", projection: { tenants_behind: 1 } });
  await runDurableObjectAlarm(objectOf(tenant.id));
  await runDurableObjectAlarm(objectOf(tenant.id));
  expect(await waitingOf(tenant)).toBe(0);
  time.advance(2_000);
  expect((await api.get("/readyz")).json).toEqual({ status: "ready", projection: { tenants_behind: 0, events_waiting: 0, oldest: null } });
  await expectComplete(tenant);
});

describe("/readyz", () => {
  test("is ready where all parts answer, and says it without a credential", async () => {
    time.set("2026-11-22T12:00:00Z");
    const answer = await api.get("/readyz");
    expect([answer.status, answer.json.status]).toEqual([200, "ready"]);
  });

  test("is not ready where D1 answers and lacks a table: its migrations were not applied", async () => {
    time.set("2026-11-22T13:00:00Z");
    await env.DB.exec("ALTER TABLE cost_records RENAME TO cost_records_away");
    const answer = await api.get("/readyz");
    await env.DB.exec("ALTER TABLE cost_records_away RENAME TO cost_records");
    expect([answer.status, answer.code]).toEqual([503, "unavailable"]);
    expect(answer.json.detail).toContain("migrations");
    time.advance(1_500);
    expect((await api.get("/readyz")).status).toBe(200);
  });

  test("a tenant that is behind while D1 answers is counted, and forgotten when it is no longer heard of", async () => {
    time.set("2027-01-01T13:00:00Z");
    const tenant = await readyTenant();
    d1.fail((_, about) => (about === tenant.id ? "refuse" : null));
    await getLease(tenant);
    await runDurableObjectAlarm(objectOf(tenant.id));
    time.advance(1_500);
    const { status, json } = await api.get("/readyz");
    expect([status, json.projection.tenants_behind]).toEqual([200, 1]);
    expect(json.projection.events_waiting).toBeGreaterThan(0);
    time.advance(11 * 60_000);
    expect((await api.get("/readyz")).json.projection.tenants_behind).toBe(0);
  });
});
