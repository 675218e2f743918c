/** An import whose slices never end, because the tenant's object dies in them, is not taken up again for ever. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { objectOf, provisionTenant } from "../../support/tenant.ts";

const time = clock();

test("an import in which the object died ten times in a row has failed", async () => {
  time.set("2040-11-20T10:00:00Z"); // in the future, so that no alarm fires by itself
  const tenant = await provisionTenant();
  const at = `/v1/tenants/${tenant.id}`;
  const { id } = expectStatus(await api.post(`${at}/models/deadly/import`, { key: tenant.admin, body: { source: "hf:org/deadly", variants: ["q4"] } }), 201, 202).json;
  await runInDurableObject(objectOf(tenant.id), (_, { storage }) => void storage.sql.exec("UPDATE imports SET attempts = 10"));
  await runDurableObjectAlarm(objectOf(tenant.id));
  const now = async () => expectStatus(await api.get(`${at}/imports/${id}`, { key: tenant.reader }), 200).json;
  await expect.poll(async () => (await now()).state, { timeout: 20_000 }).toBe("failed");
  expect((await now()).fault.code).toBe("service-failed");
});
