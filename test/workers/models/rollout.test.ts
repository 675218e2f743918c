/** Rollout over HTTP: draft, canary, live, retired; back; races; what leases and their prices go by. */
import { describe, expect, test } from "vitest";
import type { TenantId } from "../../../schema/contract/ids.ts";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { DEFAULT_PRICES, type TestTenant, askLease, getLease, leaseState, provisionTenant, publishTinyModel, quotaOf, readyTenant, report } from "../../support/tenant.ts";

const time = clock();
const DAY = 86_400_000;

const at = (tenant: TestTenant) => `/v1/tenants/${tenant.id}/models/tiny`;
const draft = async (tenant: TestTenant, fill: number, prices?: object) => (await publishTinyModel(tenant, { fill, stage: "draft", ...(prices && { prices }) })).revision;
const live = async (tenant: TestTenant, fill: number, prices?: object) => (await publishTinyModel(tenant, { fill, ...(prices && { prices }) })).revision;
const rollOut = (tenant: TestTenant, body: object) => api.post(`${at(tenant)}/rollout`, { key: tenant.admin, body });
const canary = async (tenant: TestTenant, revision: string, percent: number) => expectStatus(await rollOut(tenant, { revision, stage: "canary", percent }), 200).json;
const rollBack = (tenant: TestTenant, body: object = {}) => api.post(`${at(tenant)}/rollback`, { key: tenant.admin, body });
const stages = async (tenant: TestTenant): Promise<Record<string, string>> => {
  const { data } = expectStatus(await api.get(`${at(tenant)}/revisions`, { key: tenant.reader }), 200).json;
  return Object.fromEntries(data.map(({ revision, stage }: { revision: string; stage: string }) => [revision, stage]));
};
const granted = async (tenant: TestTenant, ask: object = {}): Promise<{ revision: string; next?: { revision: string; until: string | null } }> => (await getLease(tenant, { purpose: "download", ...ask })).model;
const USERS = Array.from({ length: 60 }, (_, index) => `user-${index}`);
async function usersOf(tenant: TestTenant, revision: string): Promise<string[]> {
  const models = await Promise.all(USERS.map((user) => granted(tenant, { user })));
  return USERS.filter((_, index) => models[index]?.revision === revision);
}

test("a revision goes from draft to canary to live to retired, and every read says where it is", async () => {
  const tenant = await readyTenant();
  const { revision: first } = await granted(tenant);
  const second = await draft(tenant, 8);
  expect(await stages(tenant)).toEqual({ [first]: "live", [second]: "draft" });
  expect(await granted(tenant, { user: "u" })).toMatchObject({ revision: first });

  expect(await canary(tenant, second, 30)).toMatchObject({ revision: first, canary: { revision: second, percent: 30 } });
  expect(await stages(tenant)).toEqual({ [first]: "live", [second]: "canary" });
  const listed = (await api.get(`/v1/tenants/${tenant.id}/models`, { key: tenant.reader })).json.data;
  expect(listed).toMatchObject([{ revision: first, canary: { revision: second, percent: 30 } }]);
  expect((await api.get("/v1/models", { key: tenant.secret })).json.data[0]).not.toHaveProperty("canary");

  expect(expectStatus(await rollOut(tenant, { revision: second, stage: "live" }), 200).json).toMatchObject({ revision: second, canary: null });
  expect(await stages(tenant)).toEqual({ [first]: "retired", [second]: "live" });
  const { data } = (await api.get(`${at(tenant)}/revisions`, { key: tenant.reader })).json;
  expect(data.find((one: { revision: string }) => one.revision === first)).toMatchObject({ committed: true, percent: null, size_bytes: 64 });
  const audit = (await api.get(`/v1/tenants/${tenant.id}/audit?model=tiny`, { key: tenant.reader })).json.data;
  expect(audit.map(({ action }: { action: string }) => action).filter((action: string) => !action.startsWith("LEASE"))).toEqual(["MODEL_PUBLISHED", "REVISION_COMMITTED", "MODEL_ROLLED_OUT", "MODEL_PUBLISHED"]);
});

test("a share of the users gets the canary, the same ones every time; a higher percentage only adds users", async () => {
  const tenant = await provisionTenant({ id: "shares" as TenantId }); // who is of a share follows from the id
  await publishTinyModel(tenant);
  const second = await draft(tenant, 8);
  let before: string[] = [];
  for (const percent of [10, 40, 80]) {
    await canary(tenant, second, percent);
    const users = await usersOf(tenant, second);
    expect(await usersOf(tenant, second)).toEqual(users);
    expect(before.filter((user) => !users.includes(user))).toEqual([]);
    expect(users.length).toBeGreaterThan(before.length);
    before = users;
  }
  expect(before.length).toBeLessThan(USERS.length);
  // A lease of nobody goes by its key, and without one gets the live revision.
  await canary(tenant, second, 100);
  expect((await granted(tenant)).revision).not.toBe(second);
  expect((await granted(tenant, { dpop_jkt: "A".repeat(43) })).revision).toBe(second);
});

describe("rolling back", () => {
  test("ends a canary; without one goes to the revision that was live before, and from there further back", async () => {
    const tenant = await readyTenant();
    const { revision: first } = await granted(tenant);
    const [second, third] = [await live(tenant, 8), await draft(tenant, 9)];
    await canary(tenant, third, 100);
    expect(expectStatus(await rollBack(tenant), 200).json).toMatchObject({ revision: second, canary: null });
    expect(await stages(tenant)).toEqual({ [first]: "retired", [second]: "live", [third]: "retired" });
    expect(expectStatus(await rollBack(tenant), 200).json.revision).toBe(first);
    expect(await stages(tenant)).toEqual({ [first]: "live", [second]: "retired", [third]: "retired" });
    expect((await rollBack(tenant)).code).toBe("conflict");
    // What was rolled back from may go live again, and is then gone back to as any other.
    expectStatus(await rollOut(tenant, { revision: second, stage: "live" }), 200);
    expect(expectStatus(await rollBack(tenant), 200).json.revision).toBe(first);
  });

  test("a canary that was live once is not gone back to after it was rolled back, until it goes live again", async () => {
    const tenant = await readyTenant();
    const { revision: first } = await granted(tenant);
    const second = await live(tenant, 8);
    await canary(tenant, first, 50);
    expect(expectStatus(await rollBack(tenant), 200).json.revision).toBe(second);
    expect((await rollBack(tenant)).code).toBe("conflict");
    expect((await granted(tenant, { revision: first })).revision).toBe(second);
    expectStatus(await rollOut(tenant, { revision: first, stage: "live" }), 200);
    expect(expectStatus(await rollBack(tenant), 200).json.revision).toBe(second);
  });

  test("with `from` goes back once, however often it is asked", async () => {
    const tenant = await readyTenant();
    const { revision: first } = await granted(tenant);
    await live(tenant, 8);
    const third = await live(tenant, 9);
    const answers = await Promise.all([1, 2, 3].map(() => rollBack(tenant, { from: third })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    expect((await stages(tenant))[first]).toBe("retired");
  });

  test("brings back the prices of the revision that it goes to", async () => {
    const tenant = await provisionTenant();
    for (const [fill, call_nanos] of [[7, 5], [8, 50]] as const) await publishTinyModel(tenant, { fill, by: tenant.admin, prices: { ...DEFAULT_PRICES, call_nanos } });
    expect(expectStatus(await rollBack(tenant), 200).json.prices.call_nanos).toBe(5);
  });
});

describe("a revision with control flow, which the operator allows no more", () => {
  const allow = async (tenant: TestTenant, allow_control_flow: boolean) => expectStatus(await api.patch(`/v1/tenants/${tenant.id}`, { key: OPERATOR_KEY, body: { allow_control_flow } }), 200);
  const flowing = async (tenant: TestTenant, fill: number, stage?: "draft") => (await publishTinyModel(tenant, { fill, controlFlow: true, ...(stage && { stage }) })).revision;

  test("is not rolled out, to a share nor to all, nor committed live", async () => {
    const tenant = await readyTenant();
    const { revision: first } = await granted(tenant);
    await allow(tenant, true);
    const second = await flowing(tenant, 8, "draft");
    await allow(tenant, false);
    const commit = () => api.post(`${at(tenant)}/revisions/${second}/commit`, { key: tenant.admin, body: {} });
    const ways = [() => rollOut(tenant, { revision: second, stage: "live" }), () => rollOut(tenant, { revision: second, stage: "canary", percent: 5 }), commit];
    for (const way of ways) expect((await way()).code).toBe("model-control-flow");
    expect(await stages(tenant)).toEqual({ [first]: "live", [second]: "draft" });
    await allow(tenant, true);
    for (const way of ways.reverse()) expect([200, 409]).toContain((await way()).status);
    expect((await granted(tenant)).revision).toBe(second);
  });

  test("is passed over by a rollback, and stays so when it is allowed again", async () => {
    const tenant = await readyTenant();
    const { revision: first } = await granted(tenant);
    await allow(tenant, true);
    const second = await flowing(tenant, 8);
    await live(tenant, 9);
    await allow(tenant, false);
    expect(expectStatus(await rollBack(tenant), 200).json.revision).toBe(first);
    await allow(tenant, true);
    expect((await rollBack(tenant)).code).toBe("conflict");
    expectStatus(await rollOut(tenant, { revision: second, stage: "live" }), 200);
  });

  test("is what a rollback is refused for, where there is none but it; one that is given out is rolled back from as any", async () => {
    const tenant = await provisionTenant({ allow_control_flow: true });
    const first = await flowing(tenant, 8);
    const second = await live(tenant, 9);
    await canary(tenant, await flowing(tenant, 10, "draft"), 50);
    await allow(tenant, false);
    expect(expectStatus(await rollBack(tenant), 200).json).toMatchObject({ revision: second, canary: null });
    expect((await rollBack(tenant)).code).toBe("model-control-flow");
    expect((await granted(tenant)).revision).toBe(second);
    await allow(tenant, true);
    expect(expectStatus(await rollBack(tenant), 200).json.revision).toBe(first);
  });
});

describe("a client that has a revision ready", () => {
  test("goes on with it for a week after it was replaced, and is told what to fetch", async () => {
    time.set("2040-11-20T10:00:00Z");
    const tenant = await readyTenant();
    const { revision: first } = await granted(tenant);
    const second = await live(tenant, 8);
    const model = await granted(tenant, { revision: first });
    expect(model).toMatchObject({ revision: first, next: { revision: second, until: "2040-11-27T10:00:00Z" } });
    expect(await granted(tenant)).toEqual(expect.not.objectContaining({ next: expect.anything() }));
    time.advance(7 * DAY - 1);
    expect((await granted(tenant, { revision: first })).revision).toBe(first);
    time.advance(1);
    expect((await granted(tenant, { revision: first })).revision).toBe(second);
  });

  test("does not go on with one that was rolled back from, nor with a draft, nor with one that never was", async () => {
    const tenant = await readyTenant();
    const { revision: first } = await granted(tenant);
    const [second, third] = [await live(tenant, 8), await draft(tenant, 9)];
    expectStatus(await rollBack(tenant), 200);
    for (const revision of [second, third, `rev_${"0".repeat(24)}`]) expect(await granted(tenant, { revision })).toEqual(expect.objectContaining({ revision: first }));
  });

  test("reads the manifest and the chunks of the revision that it was granted, whatever is live", async () => {
    const tenant = await readyTenant();
    const { revision: first } = await granted(tenant);
    const second = await publishTinyModel(tenant, { fill: 8 });
    const lease = await getLease(tenant, { purpose: "download", revision: first });
    const manifest = expectStatus(await api.get("/v1/models/tiny/manifest", { key: lease.lease }), 200).json;
    expect(manifest.revision).toBe(first);
    expect((await api.get(`/v1/blobs/${manifest.variants[0].files[0].sha256}`, { key: lease.lease })).status).toBe(200);
    expect((await api.get(`/v1/blobs/${second.digest}`, { key: lease.lease })).status).toBe(404);
  });
});

describe("what is refused", () => {
  test.each<[string, (tenant: TestTenant) => Promise<object>, number, string]>([
    ["a revision that there is not", async () => ({ revision: `rev_${"0".repeat(24)}`, stage: "live" }), 404, "not-found"],
    ["the live revision as a canary", async (tenant) => ({ revision: (await granted(tenant)).revision, stage: "canary", percent: 5 }), 409, "conflict"],
    ["a canary without a share", async (tenant) => ({ revision: await draft(tenant, 8), stage: "canary" }), 400, "invalid-request"],
    ["a share of nobody", async (tenant) => ({ revision: await draft(tenant, 8), stage: "canary", percent: 0 }), 400, "invalid-request"],
    ["live with a share", async (tenant) => ({ revision: await draft(tenant, 8), stage: "live", percent: 5 }), 400, "invalid-request"],
  ])("%s", async (_, ask, status, code) => {
    const tenant = await readyTenant();
    const answer = await rollOut(tenant, await ask(tenant));
    expect([answer.status, answer.code]).toEqual([status, code]);
  });

  test("a revision that is not committed, as a canary and as live", async () => {
    const tenant = await readyTenant();
    const { revision } = await publishTinyModel(tenant, { fill: 8, stage: "open" });
    for (const ask of [{ stage: "live" }, { stage: "canary", percent: 5 }]) expect((await rollOut(tenant, { revision, ...ask })).code).toBe("revision-incomplete");
  });

  test("a canary of a model of which nothing is live; the model counts as held until something is", async () => {
    const tenant = await provisionTenant({ model_quota: 1 });
    const revision = await draft(tenant, 8);
    expect((await rollOut(tenant, { revision, stage: "canary", percent: 5 })).code).toBe("conflict");
    expect((await askLease(tenant)).code).toBe("model-not-available");
    expect((await rollBack(tenant)).code).toBe("model-not-available");
    expect((await quotaOf(tenant)).model_quota).toMatchObject({ held: 1, posted: 0, remaining: 0 });
    await expect(publishTinyModel(tenant, { model: "other", fill: 8 })).rejects.toThrow("model-quota-exceeded");
    expect((await rollOut(tenant, { revision, stage: "live" })).status).toBe(200);
    expect((await quotaOf(tenant)).model_quota).toMatchObject({ held: 0, posted: 1 });
  });
});

test("of two canaries at once one is; a revision that goes live ends it", async () => {
  const tenant = await readyTenant();
  const drafts = [await draft(tenant, 8), await draft(tenant, 9)];
  const answers = await Promise.all(drafts.map((revision) => rollOut(tenant, { revision, stage: "canary", percent: 50 })));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
  const third = await live(tenant, 10);
  const now = await stages(tenant);
  expect([now[third], Object.values(now).filter((stage) => stage === "canary")]).toEqual(["live", []]);
});

test("of many rollouts and rollbacks at once, one revision is live in the end, and leases name it", async () => {
  const tenant = await readyTenant();
  const drafts = await Promise.all([8, 9, 10].map((fill) => draft(tenant, fill)));
  const asks = drafts.flatMap((revision) => [() => rollOut(tenant, { revision, stage: "live" }), () => rollOut(tenant, { revision, stage: "canary", percent: 50 }), () => rollBack(tenant)]);
  for (const { status } of await Promise.all(asks.map((ask) => ask()))) expect([200, 409]).toContain(status);
  const now = Object.entries(await stages(tenant));
  expect(now.filter(([, stage]) => stage === "live")).toHaveLength(1);
  expect(now.filter(([, stage]) => stage === "canary").length).toBeLessThan(2);
  expect((await granted(tenant)).revision).toBe(now.find(([, stage]) => stage === "live")?.[0]);
});

test("a lease costs what was in force when it was granted: a canary costs what the model costs, its own prices come with it going live", async () => {
  const tenant = await readyTenant();
  const dear = { input_nanos_per_token: 1000, output_nanos_per_token: 1000, call_nanos: 1000 };
  const second = await draft(tenant, 8, dear);
  await canary(tenant, second, 100);
  const canaryLease = await getLease(tenant, { user: "u" });
  expect(canaryLease.model.revision).toBe(second);
  expectStatus(await rollOut(tenant, { revision: second, stage: "live" }), 200);
  const liveLease = await getLease(tenant, { user: "u" });
  for (const lease of [canaryLease, liveLease]) expectStatus(await report(lease, { input_tokens: 10, output_tokens: 10 }), 200);
  expect((await leaseState(tenant, canaryLease.lease_id)).cost.nanos).toBe(10 * 1 + 10 * 2 + 5);
  expect((await leaseState(tenant, liveLease.lease_id)).cost.nanos).toBe(21 * 1000);
});

test("a committed draft outlives the day after which open ones are dropped", async () => {
  time.set("2040-11-20T10:00:00Z");
  const tenant = await readyTenant();
  const second = await draft(tenant, 8);
  time.advance(3 * DAY);
  expect((await rollOut(tenant, { revision: second, stage: "live" })).status).toBe(200);
});
