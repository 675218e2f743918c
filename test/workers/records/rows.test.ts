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
const MANY = 100;
/** In the future, so that no alarm is due but those that the tests run. */
const LATER = "2098-11-22T10:00:00Z";

interface Rows {
  readonly object: number;
  readonly d1: number;
}

async function rowsOf(tenant: TestTenant): Promise<Rows> {
  const { samples } = parseExposition(expectStatus(await api.get(`/v1/tenants/${tenant.id}/metrics.prom`, { key: tenant.reader }), 200).text);
  const of = (store: string) => samples.find(({ name, labels }) => name === "leasehold_rows_written_total" && labels.store === store)?.value ?? 0;
  return { object: of("object"), d1: of("d1") };
}

const alarm = (tenant: TestTenant) => runDurableObjectAlarm(objectOf(tenant.id));

/** What `MANY` pieces of work write, each: with all that follows in the background, so a little more than whole rows. */
async function rowsEach(tenant: TestTenant, work: (index: number) => Promise<unknown>): Promise<Rows> {
  await alarm(tenant);
  const before = await rowsOf(tenant);
  for (let i = 0; i < MANY; i++) await work(i);
  await alarm(tenant);
  const after = await rowsOf(tenant);
  return { object: (after.object - before.object) / MANY, d1: (after.d1 - before.d1) / MANY };
}

function expectRows(rows: Rows, wanted: Rows): void {
  expect({ object: Math.floor(rows.object), d1: Math.floor(rows.d1) }).toEqual(wanted);
  expect(rows.object - wanted.object, "what is shared by many").toBeLessThan(0.2);
  expect(rows.d1 - wanted.d1, "what is shared by many").toBeLessThan(0.2);
}

describe("rows written in a busy tenant", () => {
  test("a lease: its row and its event; in D1 the event, found by request, and by user where there is one", async () => {
    time.set(LATER);
    const tenant = await readyTenant();
    expectRows(await rowsEach(tenant, () => getLease(tenant)), { object: 2, d1: 2 });
    expectRows(await rowsEach(tenant, (i) => getLease(tenant, { user: `user-${i}` })), { object: 2, d1: 3 });
  });

  test("an idempotency key is one row more", async () => {
    time.set(LATER);
    const tenant = await readyTenant();
    expectRows(await rowsEach(tenant, (i) => getLease(tenant, {}, { idempotencyKey: `key-${i}` })), { object: 3, d1: 2 });
  });

  test("a usage report that settles", async () => {
    time.set(LATER);
    const tenant = await readyTenant();
    const leases: Awaited<ReturnType<typeof getLease>>[] = [];
    for (let i = 0; i < MANY; i++) leases.push(await getLease(tenant, { user: `user-${i % 3}` }));
    expectRows(await rowsEach(tenant, (i) => report(leases[i], { input_tokens: 5 })), { object: 6, d1: 4 });
  });

  test("a flood of refusals writes next to nothing", async () => {
    time.set(LATER);
    const tenant = await readyTenant({ daily_token_limit: 10 });
    expectRows(await rowsEach(tenant, () => askLease(tenant, { tokens: 11 })), { object: 0, d1: 0 });
  });
});

test("a lease on its own, with nothing around it, also pays for two alarms and for the mark of what D1 has", async () => {
  time.set(LATER);
  const tenant = await readyTenant();
  for (let i = 0; i < 3; i++) await alarm(tenant);
  const before = await rowsOf(tenant);
  await getLease(tenant, { ttl_s: 60 });
  time.advance(2_000);
  await alarm(tenant);
  const granted = await rowsOf(tenant);
  expect({ object: granted.object - before.object, d1: granted.d1 - before.d1 }).toEqual({ object: 5, d1: 2 });
});
