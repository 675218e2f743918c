/** The operator's own chain: what it did that is in no tenant's audit, kept and verified as any tenant's. */
import { env } from "cloudflare:workers";
import { runDurableObjectAlarm } from "cloudflare:test";
import { expect, test } from "vitest";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { publishInCatalog } from "../../support/catalog.ts";
import { objectOf, provisionTenant } from "../../support/tenant.ts";
import { signedIn } from "../../support/who.ts";

const operator = { key: OPERATOR_KEY };
const audit = async (query = "") => expectStatus(await api.get(`/v1/operator/audit?limit=200${query}`, operator), 200).json.data as { seq: number; action: string; actor: string; model: string | null; details: Record<string, unknown> }[];
const verify = async () => expectStatus(await api.get("/v1/operator/audit/verify", operator), 200).json;

test("has what was published in the catalogue, who signed in, and which tenants were erased; tampering with it is found", async () => {
  const tenant = await provisionTenant();
  await publishInCatalog("audited");
  await signedIn(OPERATOR_KEY);
  expectStatus(await api.delete(`/v1/tenants/${tenant.id}`, operator), 200, 202);
  await expect.poll(async () => {
    await runDurableObjectAlarm(objectOf(tenant.id));
    return (await api.get(`/v1/tenants/${tenant.id}/erasure`, operator)).json.state;
  }, { timeout: 20_000 }).toBe("done");
  expect((await audit("&action=MODEL_PUBLISHED")).filter(({ model }) => model === "audited")).toHaveLength(1);
  expect((await audit("&action=CONSOLE_SIGNED_IN")).at(-1)).toMatchObject({ actor: "operator", details: {} });
  expect((await audit("&action=ERASURE_STARTED")).filter(({ details }) => details.tenant === tenant.id)).toHaveLength(1);
  const all = await audit();
  expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1));
  const lines = expectStatus(await api.get("/v1/operator/audit/export", operator), 200).text.split("\n").filter(Boolean);
  expect(lines.map((line) => JSON.parse(line))).toEqual(all);
  expect(await verify()).toMatchObject({ valid: true, events: all.length });
  const forge = (actor: string) => env.DB.prepare("UPDATE audit_events SET actor = ? WHERE tenant_id = '_catalog' AND seq = ?").bind(actor, all.length).run();
  await forge("nobody");
  expect(await verify()).toMatchObject({ valid: false, broken_at: all.length, reason: "event-altered" });
  await forge(all.at(-1)?.actor ?? "");
  expect(await verify()).toMatchObject({ valid: true, discrepancies: [] });
});

test("is nobody else's to read", async () => {
  const tenant = await provisionTenant();
  for (const key of [tenant.admin, tenant.reader]) expect((await api.get("/v1/operator/audit", { key })).code).toBe("forbidden");
});
