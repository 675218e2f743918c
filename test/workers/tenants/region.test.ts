/**
 * `region: "eu"` puts the tenant object under the eu jurisdiction. workerd on this machine has no jurisdictions: here the
 * object of that home has another name (`JURISDICTIONS=local`), and what is shown is that the Worker finds it, that
 * nothing of the tenant is anywhere else, and that on the platform the jurisdiction's namespace is what is asked.
 */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import type { TenantId } from "../../../schema/contract/ids.ts";
import type { Env } from "../../../worker/env.ts";
import { objectAt } from "../../../worker/tenants/reach.ts";
import { OPERATOR_KEY, api } from "../../support/api.ts";
import { getLease, newTenantId, provisionTenant, publishTinyModel, report } from "../../support/tenant.ts";

const tablesAt = (id: string, home: "anywhere" | "eu") =>
  runInDurableObject(objectAt(env, id as TenantId, home), (_, state) =>
    state.storage.sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'").toArray().map(({ name }) => name),
  );

test("a tenant in the eu: all of it is in the eu object; outside there is one signpost", async () => {
  const tenant = await provisionTenant({ region: "eu" });
  await publishTinyModel(tenant);
  const lease = await getLease(tenant, { user: "anna" });
  expect((await report(lease, { input_tokens: 3 })).json).toMatchObject({ state: "settled", used: 3 });
  expect((await api.get(`/v1/tenants/${tenant.id}`, { key: tenant.admin })).json.region).toBe("eu");

  expect(await tablesAt(tenant.id, "eu")).toContain("leases");
  expect(await tablesAt(tenant.id, "anywhere")).toEqual(["signpost"]);
  await runInDurableObject(objectAt(env, tenant.id as TenantId, "anywhere"), (_, state) => {
    expect(state.storage.sql.exec("SELECT * FROM signpost").toArray()).toEqual([{ id: 1, home: "eu" }]);
  });
  expect((await api.get("/v1/tenants?limit=200", { key: OPERATOR_KEY })).json.data.some((item: { id: string }) => item.id === tenant.id)).toBe(true);
});

test("an id is one tenant's, wherever that lives", async () => {
  const make = (id: string, region: string) => api.post("/v1/tenants", { key: OPERATOR_KEY, body: { id, name: "x", region } });
  const [eu, auto] = [newTenantId("eu"), newTenantId("auto")];
  expect([(await make(eu, "eu")).status, (await make(eu, "eu")).code, (await make(eu, "auto")).code]).toEqual([201, "conflict", "conflict"]);
  expect([(await make(auto, "auto")).status, (await make(auto, "eu")).code]).toEqual([201, "conflict"]);

  const both = newTenantId("race");
  const answers = await Promise.all([make(both, "eu"), make(both, "auto"), make(both, "eu"), make(both, "auto")]);
  expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
  expect(answers.filter((answer) => answer.code === "conflict")).toHaveLength(3);
});

test("provisioning in the eu again with the same Idempotency-Key gives the same answer", async () => {
  const id = newTenantId("eu");
  const make = () => api.post("/v1/tenants", { key: OPERATOR_KEY, body: { id, name: "x", region: "eu" }, idempotencyKey: "p-1" });
  const [first, again] = [await make(), await make()];
  expect([first.status, again.status, again.text]).toEqual([201, 201, first.text]);
});

test("what could be taken for a jurisdiction is refused, and the id stays free", async () => {
  const id = newTenantId();
  const make = (region: string) => api.post("/v1/tenants", { key: OPERATOR_KEY, body: { id, name: "x", region } });
  for (const region of ["EU", "eu-west", "europe"]) expect((await make(region)).status).toBe(400);
  expect((await make("eu")).status).toBe(201);
});

test("any other region is a label: the object is where it would be without", async () => {
  const tenant = await provisionTenant({ region: "us-west-1" });
  expect(await tablesAt(tenant.id, "anywhere")).toContain("config");
});

test("on the platform the eu namespace is asked, and never the other for the tenant's data", () => {
  const asked: string[] = [];
  const namespace = (name: string): unknown => ({
    jurisdiction: (wanted: string) => namespace(wanted),
    idFromName: (tenant: string) => `${name}/${tenant}`,
    get: (id: string) => asked.push(id),
  });
  const platform = { ...env, JURISDICTIONS: "platform", TENANTS: namespace("anywhere") } as unknown as Env;
  objectAt(platform, "acme" as TenantId, "eu");
  objectAt(platform, "acme" as TenantId, "anywhere");
  objectAt(platform, "acme" as TenantId, "fedramp");
  expect(asked).toEqual(["eu/acme", "anywhere/acme", "fedramp/acme"]);
});

test("this machine's workerd still has no jurisdictions: when it has, `local` can go", () => {
  expect(() => env.TENANTS.jurisdiction("eu")).toThrow(/not implemented/);
});
