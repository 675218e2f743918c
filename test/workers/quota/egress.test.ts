/** `egress_bytes_daily`: what is set out to be sent is counted by the byte, and never exceeds the limit. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { type Answer, type Ask, OPERATOR_KEY, api } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { type TestTenant, type TinyModel, askLease, getLease, provisionTenant, publishTinyModel, quotaOf } from "../../support/tenant.ts";

const time = clock();

async function tenantWith(limit: number | null, size = 100): Promise<{ tenant: TestTenant; model: TinyModel }> {
  const tenant = await provisionTenant({ policy: { egress_bytes_daily: limit } });
  return { tenant, model: await publishTinyModel(tenant, { size }) };
}

const read = (model: TinyModel, key: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> => api.call(method, `/v1/blobs/${model.digest}`, { key, headers } satisfies Ask);
const sent = async (tenant: TestTenant) => (await quotaOf(tenant)).egress_bytes_daily.posted;

test("counts the bytes of each answer, whole or part, by a lease or a key", async () => {
  const { tenant, model } = await tenantWith(1000);
  const lease = await getLease(tenant, { purpose: "download" });
  const whole = await read(model, lease.lease);
  expect([whole.status, whole.text.length, whole.headers.get("ratelimit")]).toEqual([200, 100, expect.stringContaining('"egress-quota";r=900;t=')]);
  expect(await sent(tenant)).toBe(100);
  expect((await read(model, lease.lease, { range: "bytes=10-19" })).status).toBe(206);
  expect(await sent(tenant)).toBe(110);
  expect((await read(model, tenant.secret, { range: "bytes=-5" })).status).toBe(206);
  expect(await quotaOf(tenant)).toMatchObject({ egress_bytes_daily: { limit: 1000, held: 0, posted: 115, remaining: 885 } });
});

test("what sends no bytes costs none", async () => {
  const { tenant, model } = await tenantWith(1000);
  const lease = await getLease(tenant, { purpose: "download" });
  expect((await read(model, lease.lease, {}, "HEAD")).status).toBe(200);
  expect((await read(model, lease.lease, { "if-none-match": `"${model.digest}"` })).status).toBe(304);
  expect((await read(model, lease.lease, { range: "bytes=100-" })).status).toBe(416);
  expect((await read(model, lease.lease, { "if-match": '"other"' })).code).toBe("precondition-failed");
  expect((await read(model, "lh_sk_nobody")).status).toBe(401);
  expect(await sent(tenant)).toBe(0);
});

test("a chunk of another revision is not found, and costs nothing", async () => {
  const { tenant } = await tenantWith(1000);
  const other = await publishTinyModel(tenant, { model: "other", fill: 9, size: 50 });
  const lease = await getLease(tenant, { purpose: "download" });
  expect((await read(other, lease.lease)).code).toBe("not-found");
  expect((await read(other, tenant.secret)).status).toBe(200);
  expect(await sent(tenant)).toBe(50);
});

test("of many reads at once exactly those that fit are answered", async () => {
  const { tenant, model } = await tenantWith(1050);
  const lease = await getLease(tenant, { purpose: "download" });
  const answers = await Promise.all(Array.from({ length: 40 }, () => read(model, lease.lease)));
  expect(answers.filter((answer) => answer.status === 200)).toHaveLength(10);
  const refused = answers.find((answer) => answer.status !== 200) as Answer;
  expect([refused.status, refused.code, refused.json.limit, refused.json.remaining]).toEqual([429, "egress-quota-exceeded", 1050, 50]);
  expect(refused.headers.get("ratelimit-policy")).toBe('"egress-quota";q=1050;w=86400;qu="content-bytes"');
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  // A range that fits into what is left is sent.
  expect((await read(model, lease.lease, { range: "bytes=0-49" })).status).toBe(206);
  expect(await quotaOf(tenant)).toMatchObject({ egress_bytes_daily: { posted: 1050, remaining: 0 } });
});

test("with nothing left a download is refused a lease; an inference, whose model may be cached, is not", async () => {
  const { tenant, model } = await tenantWith(100);
  await read(model, tenant.secret);
  expect((await askLease(tenant, { purpose: "download" })).code).toBe("egress-quota-exceeded");
  expect((await askLease(tenant)).status).toBe(201);
});

test("the next day has its own allowance, by the tenant's calendar", async () => {
  time.set("2026-11-20T22:59:59Z");
  const tenant = await provisionTenant({ policy: { egress_bytes_daily: 100, time_zone: "Europe/Berlin" } });
  const model = await publishTinyModel(tenant, { size: 100 });
  expect((await read(model, tenant.secret)).status).toBe(200);
  const refused = await read(model, tenant.secret);
  expect(refused.json).toMatchObject({ code: "egress-quota-exceeded", resets_at: "2026-11-20T23:00:00Z" });
  time.set("2026-11-20T23:00:00Z");
  expect((await read(model, tenant.secret)).status).toBe(200);
});

test("without a limit egress is counted all the same", async () => {
  const { tenant, model } = await tenantWith(null);
  await read(model, tenant.secret);
  expect(await quotaOf(tenant)).toMatchObject({ egress_bytes_daily: { limit: null, posted: 100, remaining: null } });
});

test("a chunk that R2 has lost is not found", async () => {
  const { tenant, model } = await tenantWith(null);
  await env.BLOBS.delete(`tenants/${tenant.id}/blobs/${model.digest}`);
  expect((await read(model, tenant.secret)).code).toBe("not-found");
});

test("an operator's raise takes effect at once", async () => {
  const { tenant, model } = await tenantWith(10);
  expect((await read(model, tenant.secret)).code).toBe("egress-quota-exceeded");
  await api.put(`/v1/tenants/${tenant.id}/policy`, { key: OPERATOR_KEY, body: { egress_bytes_daily: 100 } });
  expect((await read(model, tenant.secret)).status).toBe(200);
});
