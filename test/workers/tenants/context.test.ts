/** What a request is about: its id is the caller's or made, returned, and in the audit; labels are validated once. */
import { expect, test } from "vitest";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { type TestTenant, askLease, getLease, leaseState, provisionTenant, publishTinyModel, readyTenant, report } from "../../support/tenant.ts";

const auditOf = async (tenant: TestTenant, query: string) =>
  expectStatus(await api.get(`/v1/tenants/${tenant.id}/audit?${query}`, { key: OPERATOR_KEY }), 200).json.data as { action: string; request_id: string | null; details: Record<string, unknown> }[];

test("a well-formed X-Request-Id comes back and stands in every event that the request caused", async () => {
  const tenant = await readyTenant();
  const lease = await getLease(tenant);
  const answer = await api.patch(`/v1/tenants/${tenant.id}`, { key: OPERATOR_KEY, body: { enabled: false, name: "Off" }, headers: { "x-request-id": "trace:1.a_B-9" } });
  expect(answer.headers.get("x-request-id")).toBe("trace:1.a_B-9");
  const events = await auditOf(tenant, "request_id=trace:1.a_B-9");
  expect(events.map((event) => event.action).sort()).toEqual(["LEASE_REVOKED", "TENANT_DISABLED", "TENANT_UPDATED"]);
  expect(events.find((event) => event.action === "LEASE_REVOKED")?.details).toMatchObject({ lease_id: lease.lease_id });
});

test.each(["", " ", "a b", "x".repeat(129), "<script>", "a\tb"])("X-Request-Id %j is not taken over: a new one is made", async (id) => {
  const { headers, status } = await api.get("/healthz", { headers: { "x-request-id": id } });
  expect(status).toBe(200);
  expect(headers.get("x-request-id")).toMatch(/^req_[0-9a-z]{24}$/);
});

test("refusals carry the request's id too, in the header and in the problem", async () => {
  for (const answer of [
    await api.get("/v1/tenants", { headers: { "x-request-id": "r-1" } }),
    await api.get("/nowhere", { headers: { "x-request-id": "r-1" } }),
    await api.post("/healthz", { headers: { "x-request-id": "r-1" } }),
  ]) {
    expect([answer.headers.get("x-request-id"), answer.json.request_id]).toEqual(["r-1", "r-1"]);
  }
});

test("metadata: the caller's own, with the tenant's region and tier where the caller does not name them", async () => {
  const tenant = await provisionTenant({ subscription_tier: "pro", region: "us-east" });
  await publishTinyModel(tenant);
  const lease = await getLease(tenant, { user: "u-1", metadata: { feature: "chat", tier: "trial" } }, { headers: { "x-request-id": "r-meta" } });
  const wanted = { region: "us-east", tier: "trial", feature: "chat" };
  const [granted] = await auditOf(tenant, "action=LEASE_GRANTED");
  expect(granted).toMatchObject({ request_id: "r-meta", user: "u-1", details: { metadata: wanted } });
  await report(lease, { input_tokens: 1 });
  const [executed] = await auditOf(tenant, "action=INFERENCE_EXECUTED");
  expect(executed).toMatchObject({ user: "u-1", details: { metadata: wanted } });
  expect((await leaseState(tenant, lease.lease_id)).user).toBe("u-1");
});

test("what is no context is refused before anything is held", async () => {
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  const entries = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, "v"]));
  expect((await askLease(tenant, { metadata: entries(16) })).status).toBe(201);
  const wrong: Record<string, unknown>[] = [
    { metadata: entries(17) },
    { metadata: { "a b": "v" } },
    { metadata: { [`k${"x".repeat(40)}`]: "v" } },
    { metadata: { k: "v".repeat(201) } },
    { metadata: { k: 1 } },
    { metadata: { k: { nested: "v" } } },
    { metadata: [] },
    { user: "" },
    { user: "a\nb" },
    { user: "x".repeat(129) },
    { user: 7 },
    { request_id: "a b" },
  ];
  for (const body of wrong) {
    const answer = await askLease(tenant, body);
    expect([answer.status, answer.code], JSON.stringify(body).slice(0, 60)).toEqual([400, "invalid-request"]);
  }
});

test("a disabled tenant's leases stop at once; enabled again, it grants again and nothing of before comes back", async () => {
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  const lease = await getLease(tenant, { tokens: 100 });
  const enabled = (value: boolean) => api.patch(`/v1/tenants/${tenant.id}`, { key: OPERATOR_KEY, body: { enabled: value } });
  expect((await enabled(false)).json.enabled).toBe(false);
  expect((await api.get("/v1/models/tiny/manifest", { key: lease.lease })).code).toBe("lease-revoked");
  expect((await report(lease, { input_tokens: 1 })).code).toBe("lease-revoked");
  for (const ask of [{}, { key: tenant.publishable, origin: "https://shop.example" }]) expect((await askLease(tenant, {}, ask)).code).toBe("tenant-disabled");
  // Its own people still see what there is to see; only the operator enables.
  expect((await api.get(`/v1/tenants/${tenant.id}/quota`, { key: tenant.reader })).status).toBe(200);
  expect((await api.patch(`/v1/tenants/${tenant.id}`, { key: tenant.admin, body: { enabled: true } })).code).toBe("forbidden");

  expect((await enabled(true)).json.enabled).toBe(true);
  expect((await askLease(tenant)).status).toBe(201);
  expect((await report(lease, { input_tokens: 1 })).code).toBe("lease-revoked");
  expect((await auditOf(tenant, "action=TENANT_ENABLED")).length).toBe(1);
  // The same word twice is one event.
  await enabled(true);
  expect((await auditOf(tenant, "action=TENANT_ENABLED")).length).toBe(1);
});
