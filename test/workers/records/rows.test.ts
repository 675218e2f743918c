/**
 * What a lease costs to write: rows in the tenant object and in D1, as the platform counts and bills them. The figures
 * stand in docs/storage.md; a change here is a change of what every issuance costs.
 */
import { runDurableObjectAlarm } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { parseExposition } from "../../support/prometheus.ts";
import { type TestTenant, askLease, getLease, objectOf, readyTenant, report } from "../../support/tenant.ts";

const time = clock();
const MANY = 200;

async function rowsOf(tenant: TestTenant): Promise<{ object: number; d1: number }> {
  const { samples } = parseExposition(expectStatus(await api.get(`/v1/tenants/${tenant.id}/metrics.prom`, { key: tenant.reader }), 200).text);
  const of = (store: string) => samples.find(({ name, labels }) => name === "leasehold_rows_written_total" && labels.store === store)?.value ?? 0;
  return { object: of("object"), d1: of("d1") };
}

/** Rows that `MANY` of what `work` does write, a piece: with all that follows in the background. */
async function rowsEach(tenant: TestTenant, work: (index: number) => Promise<unknown>): Promise<{ object: number; d1: number }> {
  await runDurableObjectAlarm(objectOf(tenant.id));
  const before = await rowsOf(tenant);
  for (let i = 0; i < MANY; i++) await work(i);
  await runDurableObjectAlarm(objectOf(tenant.id));
  const after = await rowsOf(tenant);
  return { object: (after.object - before.object) / MANY, d1: (after.d1 - before.d1) / MANY };
}

describe("rows written", () => {
  test("a lease", async () => {
    time.set("2026-11-22T10:00:00Z");
    const tenant = await readyTenant();
    console.warn("grant, no user", await rowsEach(tenant, () => getLease(tenant)));
    console.warn("grant, user", await rowsEach(tenant, (i) => getLease(tenant, { user: `user-${i}` })));
    console.warn("grant, idem", await rowsEach(tenant, (i) => getLease(tenant, {}, { idempotencyKey: `k${i}` })));
    const leases = await Promise.all(Array.from({ length: MANY }, (_, i) => getLease(tenant, { user: `user-${i % 5}` })));
    console.warn("final report", await rowsEach(tenant, (i) => report(leases[i], { input_tokens: 5 })));
    console.warn("denial", await rowsEach(tenant, () => askLease(tenant, { tokens: 9e15 })));
    time.advance(301_000);
    const before = await rowsOf(tenant);
    await runDurableObjectAlarm(objectOf(tenant.id));
    await runDurableObjectAlarm(objectOf(tenant.id));
    const after = await rowsOf(tenant);
    console.warn("expiry", { object: (after.object - before.object) / (3 * MANY), d1: (after.d1 - before.d1) / (3 * MANY) });
  });
});
