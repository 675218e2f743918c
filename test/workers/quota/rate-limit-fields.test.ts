/** `RateLimit` and `RateLimit-Policy`: on every answer of the data plane, from the same state as enforcement and /quota. */
import { expect, test } from "vitest";
import { type Answer, api } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { askLease, getLease, provisionTenant, publishTinyModel, quotaOf, readyTenant, report } from "../../support/tenant.ts";

const time = clock();

/** Items of a structured field (RFC 9651): `"name";a=1;b="x"` by name. Throws where it is none. */
function itemsOf(field: string | null): Record<string, Record<string, string | number>> {
  if (field === null) return {};
  return Object.fromEntries(
    field.split(", ").map((item) => {
      const match = /^"([a-z-]+)"((?:;[a-z]+=(?:\d{1,15}|"[a-z-]+"))*)$/.exec(item);
      if (!match) throw new Error(`no item of a structured field: ${item}`);
      const parameters = [...(match[2] ?? "").matchAll(/;([a-z]+)=(?:(\d+)|"([a-z-]+)")/g)].map(([, name, number, text]) => [name, number === undefined ? text : Number(number)]);
      return [match[1], Object.fromEntries(parameters)];
    }),
  );
}
const fields = (answer: Answer) => ({ policy: itemsOf(answer.headers.get("ratelimit-policy")), now: itemsOf(answer.headers.get("ratelimit")) });

test("a grant says what each limit is and what is left of it, as /quota does", async () => {
  time.set("2026-11-20T10:00:00Z");
  const tenant = await readyTenant({ daily_token_limit: 1000, monthly_token_limit: 5000, per_user_daily_tokens: 500, tokens_per_minute: 800, requests_per_minute: 9, concurrent_leases: 4, monthly_spend_limit: 10_000, egress_bytes_daily: 10_000 });
  const { policy, now } = fields(await askLease(tenant, { tokens: 100, user: "u" }));
  expect(policy).toEqual({
    "daily-quota": { q: 1000, w: 86_400, qu: "tokens" },
    "monthly-quota": { q: 5000, qu: "tokens" },
    "user-quota": { q: 500, w: 86_400, qu: "tokens" },
    "tokens-per-minute": { q: 800, w: 60, qu: "tokens" },
    "requests-per-minute": { q: 9, w: 60, qu: "requests" },
    "concurrent-leases": { q: 4, qu: "concurrent-requests" },
    "spend-limit": { q: 10_000, qu: "nano-usd" },
    "egress-quota": { q: 10_000, w: 86_400, qu: "content-bytes" },
  });
  expect(now).toEqual({
    "daily-quota": { r: 900, t: 50_400 },
    "monthly-quota": { r: 4900, t: 10 * 86_400 + 50_400 },
    "user-quota": { r: 400, t: 50_400 },
    "tokens-per-minute": { r: 700, t: 60 },
    "requests-per-minute": { r: 8, t: 60 },
    "concurrent-leases": { r: 3, t: 300 },
    "spend-limit": { r: 9795, t: 10 * 86_400 + 50_400 },
    "egress-quota": { r: 10_000, t: 50_400 },
  });
  const quota = await quotaOf(tenant, "u");
  expect([quota.daily_token_limit.remaining, quota.per_user_daily_tokens.remaining]).toEqual([900, 400]);
});

test("every answer of the data plane carries them", async () => {
  const tenant = await provisionTenant({ policy: { daily_token_limit: 1000, egress_bytes_daily: 1000 } });
  const model = await publishTinyModel(tenant, { size: 100 });
  const lease = await getLease(tenant, { tokens: 100 });
  const answers = {
    state: await api.get(`/v1/leases/${lease.lease_id}`, { key: lease.lease }),
    manifest: await api.get("/v1/models/tiny/manifest", { key: lease.lease }),
    report: await report(lease, { input_tokens: 10, final: false }),
    quota: await api.get(`/v1/tenants/${tenant.id}/quota`, { key: tenant.reader }),
  };
  const left = Object.entries(answers).map(([name, answer]) => [name, answer.status, fields(answer).now["daily-quota"]?.r]);
  expect(left).toEqual([["state", 200, 900], ["manifest", 200, 900], ["report", 200, 900], ["quota", 200, 900]]);
  const settled = await report(lease, { seq: 1, input_tokens: 10 });
  expect(fields(settled).now["daily-quota"]?.r).toBe(980);
  const blob = await api.get(`/v1/blobs/${model.digest}`, { key: tenant.secret });
  expect(fields(blob)).toMatchObject({ policy: { "egress-quota": { q: 1000 } }, now: { "egress-quota": { r: 900 } } });
});

test("a refusal carries those of the limit that refused, and when to come again", async () => {
  time.set("2026-11-20T10:00:00Z");
  const tenant = await readyTenant({ daily_token_limit: 100, tokens_per_minute: 50 });
  await getLease(tenant, { tokens: 50 });
  time.set("2026-11-20T10:00:20Z");
  const refused = await askLease(tenant, { tokens: 1 });
  expect([refused.status, refused.headers.get("retry-after"), fields(refused)]).toEqual([
    429, "40", { policy: { "tokens-per-minute": { q: 50, w: 60, qu: "tokens" } }, now: { "tokens-per-minute": { r: 0, t: 40 } } },
  ]);
});

test("without limits there are none", async () => {
  const tenant = await readyTenant();
  expect(fields(await askLease(tenant))).toEqual({ policy: {}, now: {} });
});

test("a limit above what a structured field can hold is shown as the largest that it can", async () => {
  const tenant = await readyTenant({ daily_token_limit: Number.MAX_SAFE_INTEGER });
  expect(fields(await askLease(tenant))).toMatchObject({ policy: { "daily-quota": { q: 999_999_999_999_999 } }, now: { "daily-quota": { r: 999_999_999_999_999 } } });
});

test("a browser may read them", async () => {
  const tenant = await readyTenant({ daily_token_limit: 100 });
  const exposed = (await askLease(tenant)).headers.get("access-control-expose-headers") ?? "";
  expect(exposed.split(", ")).toEqual(expect.arrayContaining(["RateLimit", "RateLimit-Policy", "Retry-After"]));
});
