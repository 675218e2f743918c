/** The operator's price floors: a limit in money that binds the tenant's own admin too. */
import { expect, test } from "vitest";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { type TestTenant, askLease, getLease, provisionTenant, publishTinyModel, quotaOf, report } from "../../support/tenant.ts";

const time = clock();
const START = "2026-11-22T10:00:00Z";
const FLOOR = { input_nanos_per_token: 10, output_nanos_per_token: 20, call_nanos: 100 };
const FREE = { input_nanos_per_token: 0, output_nanos_per_token: 0, call_nanos: 0 };

const operator = { key: OPERATOR_KEY };
const setPrices = (tenant: TestTenant, key: string, body: object) => api.post(`/v1/tenants/${tenant.id}/models/tiny/prices`, { key, body });
const patch = (tenant: TestTenant, key: string, body: object) => api.patch(`/v1/tenants/${tenant.id}`, { key, body });
const shownPrices = async (tenant: TestTenant) => (await api.get(`/v1/tenants/${tenant.id}/models`, { key: tenant.reader })).json.data[0].prices;
const book = async (tenant: TestTenant) => expectStatus(await api.get(`/v1/tenants/${tenant.id}/prices`, { key: tenant.admin }), 200).json.data;

async function costOfOne(tenant: TestTenant): Promise<number> {
  const lease = await getLease(tenant, { tokens: 10 });
  return expectStatus(await report(lease, { input_tokens: 3, output_tokens: 2 }), 200).json.cost.nanos;
}

test("an admin who states that its model is free still meets the operator's spend limit", async () => {
  time.set(START);
  const tenant = await provisionTenant({ price_floor: FLOOR, policy: { monthly_spend_limit: 1_000 } });
  await publishTinyModel(tenant, { by: tenant.admin, prices: FREE });
  expectStatus(await setPrices(tenant, tenant.admin, FREE), 201);
  expect(await shownPrices(tenant)).toEqual(FLOOR);
  // A hold of 10 tokens at the dearer price, and a call: 300 each, so that three fit.
  for (let i = 0; i < 3; i++) await getLease(tenant, { tokens: 10 });
  expect((await askLease(tenant, { tokens: 10 })).code).toBe("spend-limit-exceeded");
  expect((await quotaOf(tenant)).monthly_spend_limit).toMatchObject({ held: 900, posted: 0 });
});

test("only the operator sets it, at provisioning and later; it holds from the next grant on", async () => {
  time.set(START);
  const tenant = await provisionTenant();
  await publishTinyModel(tenant, { by: tenant.admin });
  const before = await getLease(tenant, { tokens: 10 });
  expect((await patch(tenant, tenant.admin, { price_floor: FLOOR })).code).toBe("forbidden");
  expect(expectStatus(await patch(tenant, OPERATOR_KEY, { price_floor: { output_nanos_per_token: 50 } }), 200).json.price_floor).toEqual({ ...FREE, output_nanos_per_token: 50 });
  expect((await patch(tenant, tenant.admin, { price_floor: null })).code).toBe("forbidden");
  expect(await costOfOne(tenant)).toBe(3 * 1 + 2 * 50 + 5);
  expect(expectStatus(await report(before, { input_tokens: 3, output_tokens: 2 }), 200).json.cost.nanos).toBe(3 * 1 + 2 * 2 + 5);
  // What else is changed leaves it alone; null takes it away.
  expectStatus(await patch(tenant, tenant.admin, { name: "Renamed" }), 200);
  expect(await costOfOne(tenant)).toBe(3 * 1 + 2 * 50 + 5);
  expectStatus(await patch(tenant, OPERATOR_KEY, { price_floor: null }), 200);
  expect(await costOfOne(tenant)).toBe(3 * 1 + 2 * 2 + 5);
  const [event] = (await api.get(`/v1/tenants/${tenant.id}/audit?action=TENANT_UPDATED`, { key: tenant.reader })).json.data;
  expect(event).toMatchObject({ actor: "operator", details: { changes: { price_floor: { output_nanos_per_token: 50 } } } });
});

test("the tenant sees it: in its profile, its prices and its bill", async () => {
  time.set(START);
  const tenant = await provisionTenant({ price_floor: FLOOR });
  const { prices } = { prices: { ...FREE, output_nanos_per_token: 30 } };
  await publishTinyModel(tenant, { by: tenant.admin, prices });
  expect(await book(tenant)).toMatchObject([{ ...prices, effective: { ...FLOOR, output_nanos_per_token: 30 }, in_force: true }]);
  expect((await api.get(`/v1/tenants/${tenant.id}`, { key: tenant.reader })).json.price_floor).toEqual(FLOOR);
  expect((await api.get("/v1/tenants?limit=200", operator)).json.data.find(({ id }: { id: string }) => id === tenant.id).price_floor).toEqual(FLOOR);
  expect(await costOfOne(tenant)).toBe(3 * 10 + 2 * 30 + 100);
  const bill = expectStatus(await api.get(`/v1/tenants/${tenant.id}/billing`, { key: tenant.admin }), 200).json;
  expect(bill).toMatchObject({ price_floor: FLOOR, total_cost: { nanos: 190 } });
});

test("what the operator states for a model can't be undercut, written over or published away by an admin", async () => {
  time.set(START);
  const tenant = await provisionTenant();
  await publishTinyModel(tenant, { by: tenant.admin });
  expectStatus(await setPrices(tenant, OPERATOR_KEY, { ...FLOOR, effective_at: "2026-11-22T12:00:00Z" }), 201);
  // The same instant: in the book the admin's entry takes the place of the operator's, the floor stays.
  expectStatus(await setPrices(tenant, tenant.admin, { ...FREE, effective_at: "2026-11-22T12:00:00Z" }), 201);
  expect(await costOfOne(tenant)).toBe(3 * 1 + 2 * 2 + 5);
  time.set("2026-11-22T12:00:00Z");
  expect(await costOfOne(tenant)).toBe(3 * 10 + 2 * 20 + 100);
  await publishTinyModel(tenant, { by: tenant.admin, fill: 9, prices: { ...FREE, input_nanos_per_token: 11 } });
  expect(await costOfOne(tenant)).toBe(3 * 11 + 2 * 20 + 100);
  // Another model is another matter; and the operator takes its statement back by a lower one.
  await publishTinyModel(tenant, { by: tenant.admin, model: "other", fill: 9, prices: FREE });
  expect((await getLease(tenant, { model: "other" })).quota.monthly_spend_limit).toBeDefined();
  time.advance(1_000);
  expectStatus(await setPrices(tenant, OPERATOR_KEY, FREE), 201);
  expectStatus(await setPrices(tenant, tenant.admin, FREE), 201);
  expect(await costOfOne(tenant)).toBe(0);
});

test.each([[{ input_nanos_per_token: -1 }], [{ call_nanos: 0.5 }], [{ output_nanos_per_token: 1_000_000_001 }], [{ per_token: 1 }], ["free"]])("the floor %j is refused", async (price_floor) => {
  const tenant = await provisionTenant();
  expect((await patch(tenant, OPERATOR_KEY, { price_floor })).code).toBe("invalid-request");
});
