import { describe, expect, test } from "vitest";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { DEFAULT_PRICES, type TestTenant, getLease, leaseState, provisionTenant, publishTinyModel, report } from "../../support/tenant.ts";

const time = clock();
const START = "2026-11-22T10:00:00Z";

const book = async (tenant: TestTenant, query = "") => expectStatus(await api.get(`/v1/tenants/${tenant.id}/prices${query}`, { key: tenant.reader }), 200).json.data;
const setPrices = (tenant: TestTenant, body: object, ask: object = {}, model = "tiny") => api.post(`/v1/tenants/${tenant.id}/models/${model}/prices`, { key: tenant.admin, body, ...ask });
const prices = (input: number, output: number, call?: number) => ({ input_nanos_per_token: input, output_nanos_per_token: output, ...(call !== undefined && { call_nanos: call }) });

/** Its model is published by its own admin: what the operator states is a floor (price-floor.test.ts). */
async function readyTenant(): Promise<TestTenant> {
  const tenant = await provisionTenant();
  await publishTinyModel(tenant, { by: tenant.admin });
  return tenant;
}

async function costOfOne(tenant: TestTenant): Promise<number> {
  const lease = await getLease(tenant, { tokens: 10 });
  return expectStatus(await report(lease, { input_tokens: 3, output_tokens: 2 }), 200).json.cost.nanos;
}

test("the first revision brings the first entry; the model shows what is in force", async () => {
  time.set(START);
  const tenant = await readyTenant();
  expect(await book(tenant)).toEqual([
    { model: "tiny", ...DEFAULT_PRICES, effective: DEFAULT_PRICES, effective_at: START, in_force: true, source: "revision", revision: expect.stringMatching(/^rev_/), set_by: expect.stringMatching(/^key_/), set_at: START },
  ]);
  expectStatus(await setPrices(tenant, prices(7, 8)), 201);
  const [shown] = (await api.get(`/v1/tenants/${tenant.id}/models`, { key: tenant.reader })).json.data;
  expect(shown.prices).toEqual(prices(7, 8));
});

test("a price is in force from its instant on, to the millisecond, and what was granted before keeps its own", async () => {
  time.set(START);
  const tenant = await readyTenant();
  const entry = expectStatus(await setPrices(tenant, { ...prices(100, 200, 1_000), effective_at: "2026-11-22T12:00:00Z" }), 201).json;
  expect(entry).toMatchObject({ effective_at: "2026-11-22T12:00:00Z", in_force: false, source: "set", revision: null, call_nanos: 1_000 });
  time.set("2026-11-22T11:59:59.999Z");
  expect(await costOfOne(tenant)).toBe(3 * 1 + 2 * 2 + 5);
  const early = await getLease(tenant, { tokens: 10 });
  time.set("2026-11-22T12:00:00.000Z");
  expect(await costOfOne(tenant)).toBe(3 * 100 + 2 * 200 + 1_000);
  expectStatus(await report(early, { input_tokens: 3, output_tokens: 2 }), 200);
  expect((await leaseState(tenant, early.lease_id)).cost.nanos).toBe(3 * 1 + 2 * 2 + 5);
  expect((await book(tenant)).map(({ in_force }: { in_force: boolean }) => in_force)).toEqual([false, true]);
});

test("what expires after a change of price costs the prices of its grant", async () => {
  time.set(START);
  const tenant = await readyTenant();
  const lease = await getLease(tenant, { tokens: 10, ttl_s: 60 });
  expectStatus(await setPrices(tenant, prices(900, 900, 900)), 201);
  time.set("2026-11-22T10:05:00Z");
  expect((await leaseState(tenant, lease.lease_id)).cost.nanos).toBe(10 * 2 + 5);
});

describe("revisions", () => {
  test("one with other prices enters them, one with the same undoes nothing that was set", async () => {
    time.set(START);
    const tenant = await readyTenant();
    expectStatus(await setPrices(tenant, prices(50, 60)), 201);
    await publishTinyModel(tenant, { by: tenant.admin, fill: 8 });
    expect(await costOfOne(tenant)).toBe(3 * 50 + 2 * 60);
    time.advance(1_000);
    await publishTinyModel(tenant, { by: tenant.admin, fill: 9, prices: prices(2, 3, 0) });
    expect(await costOfOne(tenant)).toBe(3 * 2 + 2 * 3);
    expect((await book(tenant)).map(({ source }: { source: string }) => source)).toEqual(["set", "revision"]);
  });

  test("a price to come stays to come, whatever is published before", async () => {
    time.set(START);
    const tenant = await readyTenant();
    expectStatus(await setPrices(tenant, { ...prices(500, 500), effective_at: "2027-01-01T00:00:00Z" }), 201);
    time.advance(1_000);
    await publishTinyModel(tenant, { by: tenant.admin, fill: 9, prices: prices(2, 3, 0) });
    expect(await costOfOne(tenant)).toBe(12);
    time.set("2027-01-01T00:00:00Z");
    expect(await costOfOne(tenant)).toBe(2_500);
  });
});

describe("setting a price", () => {
  test("is audited, with who did it", async () => {
    time.set(START);
    const tenant = await readyTenant();
    expectStatus(await setPrices(tenant, { ...prices(1, 2, 3), effective_at: "2026-12-01T00:00:00Z" }, { key: OPERATOR_KEY }), 201);
    const [event] = (await api.get(`/v1/tenants/${tenant.id}/audit?action=PRICES_SET`, { key: tenant.reader })).json.data;
    expect(event).toMatchObject({ actor: "operator", model: "tiny", details: { prices: prices(1, 2, 3), effective_at: "2026-12-01T00:00:00Z" } });
  });

  test("at an instant that has an entry to come replaces it; one in the past is refused", async () => {
    time.set(START);
    const tenant = await readyTenant();
    const at = { effective_at: "2026-12-01T00:00:00Z" };
    expectStatus(await setPrices(tenant, { ...prices(1, 2), ...at }), 201);
    expectStatus(await setPrices(tenant, { ...prices(3, 4), ...at }), 201);
    expect((await book(tenant)).slice(1)).toMatchObject([{ input_nanos_per_token: 3, call_nanos: 0 }]);
    expect((await setPrices(tenant, { ...prices(5, 6), effective_at: "2026-11-22T09:59:59.999Z" })).code).toBe("invalid-request");
  });

  test.each([
    [{ input_nanos_per_token: -1, output_nanos_per_token: 1 }],
    [{ input_nanos_per_token: 0.5, output_nanos_per_token: 1 }],
    [{ input_nanos_per_token: 1 }],
    [{ input_nanos_per_token: 1, output_nanos_per_token: 1_000_000_001 }],
    [{ ...prices(1, 1), effective_at: "soon" }],
    [{ ...prices(1, 1), note: "x" }],
  ])("%j is refused", async (wrong) => {
    const tenant = await readyTenant();
    const answer = await setPrices(tenant, wrong);
    expect([answer.status, answer.code]).toEqual([400, "invalid-request"]);
  });

  test("of a model that is not published is refused", async () => {
    const tenant = await readyTenant();
    expect((await setPrices(tenant, prices(1, 1), {}, "other")).code).toBe("model-not-available");
  });

  test("twice with one idempotency key is once", async () => {
    time.set(START);
    const tenant = await readyTenant();
    const first = await setPrices(tenant, prices(1, 9), { idempotencyKey: "p1" });
    time.advance(5_000);
    const again = await setPrices(tenant, prices(1, 9), { idempotencyKey: "p1" });
    expect(again.json).toEqual(first.json);
    expect((await setPrices(tenant, prices(2, 9), { idempotencyKey: "p1" })).code).toBe("idempotency-key-reused");
    expect((await book(tenant)).length).toBe(1);
  });
});

test("the book is read in pages, of all models or of one", async () => {
  time.set(START);
  const tenant = await readyTenant();
  await publishTinyModel(tenant, { by: tenant.admin, model: "other", fill: 9 });
  for (const day of ["05", "03", "04"]) for (const model of ["tiny", "other"]) expectStatus(await setPrices(tenant, { ...prices(1, 2), effective_at: `2026-12-${day}T00:00:00Z` }, {}, model), 201);
  const seen: string[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page: { data: { model: string; effective_at: string }[]; next_cursor: string | null } = expectStatus(await api.get(`/v1/tenants/${tenant.id}/prices?limit=3${cursor && `&cursor=${cursor}`}`, { key: tenant.reader }), 200).json;
    seen.push(...page.data.map(({ model, effective_at }) => `${model} ${effective_at.slice(5, 10)}`));
    cursor = page.next_cursor;
  }
  const dates = ["11-22", "12-03", "12-04", "12-05"];
  expect(seen).toEqual([...dates.map((date) => `other ${date}`), ...dates.map((date) => `tiny ${date}`)]);
  expect((await book(tenant, "?model=tiny")).length).toBe(4);
});
