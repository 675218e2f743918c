/** Grants that follow the catalogue: what goes live there goes to the tenants, what was retired goes, and nothing in use. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import type { Base } from "../../../schema/contract/models.ts";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { fileOf, grant, publishFiles, publishInCatalog, revoke } from "../../support/catalog.ts";
import { clock } from "../../support/clock.ts";
import { tinyOnnx } from "../../support/onnx.ts";
import { DEFAULT_PRICES, type TestTenant, askLease, getLease, objectOf, provisionTenant, publishTinyModel, sha256Hex } from "../../support/tenant.ts";

const operator = { key: OPERATOR_KEY };
const DAY_MS = 86_400_000;
const { advance } = clock();
const PATIENT = { timeout: 20_000, interval: 20 };

let names = 0;
const newName = () => `m${names++}`;
let fills = 0;
const publish = (name: string, more: object = {}): Promise<Base> => publishInCatalog(name, tinyOnnx(90, ++fills), more);

/** The catalogue's own chores, those that are due. */
const upkeep = () => runDurableObjectAlarm(objectOf("_catalog"));
const baseOf = async (tenant: TestTenant, name: string) => expectStatus(await api.get(`/v1/models/${name}/manifest`, { key: tenant.secret }), 200).json.base.revision as string;
const comesTo = (tenant: TestTenant, name: string, base: Base) => expect.poll(async () => (await upkeep(), baseOf(tenant, name)), PATIENT).toBe(base.revision);
const holdersOf = async (name: string) => expectStatus(await api.get(`/v1/catalog/models/${name}/grants?limit=200`, operator), 200).json.data as { tenant: string; revision: string; follows: boolean; behind: { error: string } | null }[];
const grantsOf = async (tenant: TestTenant) => expectStatus(await api.get(`/v1/tenants/${tenant.id}/catalog`, { key: tenant.reader }), 200).json.data as { revision: string; follows: boolean; waits: boolean }[];
const remove = ({ model, revision }: Base) => api.delete(`/v1/catalog/models/${model}/revisions/${revision}`, operator);
const rollBack = (name: string) => api.post(`/v1/catalog/models/${name}/rollback`, operator);
const derive = async (tenant: TestTenant, name: string, base: Base, text: string, stage: "live" | "draft" = "live") => {
  const bytes = Uint8Array.from(new TextEncoder().encode(text));
  const begun = expectStatus(await api.post(`/v1/tenants/${tenant.id}/models/${name}/derive`, { key: tenant.admin, body: { base, files: [await fileOf("labels.json", bytes)], prices: DEFAULT_PRICES } }), 201).json;
  expectStatus(await api.put(`/v1/tenants/${tenant.id}/blobs/${await sha256Hex(bytes)}`, { key: tenant.admin, body: bytes }), 200, 201);
  return expectStatus(await api.post(`/v1/tenants/${tenant.id}/models/${name}/revisions/${begun.revision}/commit`, { key: tenant.admin, body: { stage } }), 200).json;
};

describe("what goes live in the catalogue", () => {
  test("goes to who follows, under the prices of its grant, and not to who was granted a revision", async () => {
    const name = newName();
    const first = await publish(name);
    const [follower, pinned] = [await provisionTenant(), await provisionTenant()];
    const prices = { input_nanos_per_token: 7, output_nanos_per_token: 8 };
    expectStatus(await grant(follower, name, { prices }), 200);
    expectStatus(await grant(pinned, name, { revision: first.revision }), 200);
    const second = await publish(name);
    await comesTo(follower, name, second);
    expect(await baseOf(pinned, name)).toBe(first.revision);
    expect((expectStatus(await api.get(`/v1/tenants/${follower.id}/models`, { key: follower.reader }), 200).json.data as object[])[0]).toMatchObject({ id: name, prices });
    const holders = await holdersOf(name);
    expect(holders.filter(({ tenant }) => tenant === follower.id)).toMatchObject([{ follows: true, behind: null }, { follows: true, behind: null }]);
    expect(holders.filter(({ tenant }) => tenant === pinned.id)).toMatchObject([{ revision: first.revision, follows: false }]);
    expect([(await grantsOf(follower)).every(({ follows }) => follows), (await grantsOf(pinned)).some(({ follows }) => follows)]).toEqual([true, false]);
    // A page that has the first goes on with it, as after any replacement.
    const kept = expectStatus(await api.get(`/v1/tenants/${follower.id}/models/${name}/revisions`, { key: follower.reader }), 200).json.data as { stage: string; granted_until: string | null }[];
    expect(kept.map(({ stage, granted_until }) => [stage, granted_until !== null])).toEqual([["retired", true], ["live", false]]);
  });

  test("does not as a draft, and does once that is committed live; after a rollback everybody is back, and nobody is granted the bad one", async () => {
    const name = newName();
    const first = await publish(name);
    const tenant = await provisionTenant();
    expectStatus(await grant(tenant, name), 200);
    const before = (await getLease(tenant, { model: name })).model.revision;
    const bytes = tinyOnnx(90, ++fills);
    const second = await publishFiles(name, [{ path: "onnx/model.onnx", bytes, cut: bytes.length }], {}, "draft");
    await upkeep();
    expect(await baseOf(tenant, name)).toBe(first.revision);
    expectStatus(await api.post(`/v1/catalog/models/${name}/revisions/${second.revision}/commit`, operator), 200);
    await comesTo(tenant, name, second);
    const bad = (await getLease(tenant, { model: name })).model.revision;
    expect(expectStatus(await rollBack(name), 200).json.revision).toBe(first.revision);
    await comesTo(tenant, name, first);
    for (const ready of [bad, undefined]) expect((await getLease(tenant, { model: name, ...(ready && { revision: ready }) })).model.revision).toBe(before);
  });

  test("is kept beside what the tenant derived under that name, and is not taken from who follows no more", async () => {
    const name = newName();
    const first = await publish(name);
    const [deriving, stopped, gone] = [await provisionTenant(), await provisionTenant(), await provisionTenant()];
    for (const tenant of [deriving, stopped, gone]) expectStatus(await grant(tenant, name), 200);
    const own = await derive(deriving, name, first, "{}");
    expectStatus(await grant(stopped, name, { follow: false }), 200);
    expectStatus(await revoke(gone, name), 200);
    const second = await publish(name);
    await expect.poll(async () => (await upkeep(), (await grantsOf(deriving)).map(({ revision }) => revision)), PATIENT).toContain(second.revision);
    expect((await getLease(deriving, { model: name })).model.revision).toBe(own.revision);
    expectStatus(await api.post(`/v1/tenants/${deriving.id}/models/${name}/rollout`, { key: deriving.admin, body: { revision: (await draftOf(deriving, name)).revision, stage: "live" } }), 200);
    expect(await baseOf(deriving, name)).toBe(second.revision);
    expect(await baseOf(stopped, name)).toBe(first.revision);
    expect((await askLease(gone, { model: name })).code).toBe("model-not-available");
    expect((await holdersOf(name)).map(({ tenant }) => tenant)).not.toContain(gone.id);
  });

  test("that a tenant can't be given leaves it what it has, and shown as behind until it can", async () => {
    const name = newName();
    const first = await publish(name);
    const tenant = await provisionTenant();
    expectStatus(await grant(tenant, name), 200);
    const second = await publish(name, { control_flow: true }); // which a tenant has to be allowed
    await expect.poll(async () => (await upkeep(), (await holdersOf(name)).find(({ behind }) => behind !== null)?.behind?.error), PATIENT).toContain("control flow");
    expect(await baseOf(tenant, name)).toBe(first.revision);
    expect((await holdersOf(name)).map(({ revision }) => revision)).toEqual([first.revision]);
    expect((await grant(tenant, name)).code).toBe("model-control-flow"); // which changes nothing: it is still due
    expectStatus(await api.patch(`/v1/tenants/${tenant.id}`, { ...operator, body: { allow_control_flow: true } }), 200);
    advance(DAY_MS);
    await comesTo(tenant, name, second);
  });

  test("is not forced on a tenant that deleted the model, or has one of its own by now", async () => {
    const name = newName();
    await publish(name);
    const tenant = await provisionTenant();
    expectStatus(await grant(tenant, name), 200);
    expectStatus(await api.delete(`/v1/tenants/${tenant.id}/models/${name}`, { key: tenant.admin }), 200);
    await publish(name);
    await upkeep();
    expect((await askLease(tenant, { model: name })).code).toBe("model-not-available");
    const own = await publishTinyModel(tenant, { model: name });
    await publish(name);
    await expect.poll(async () => (await upkeep(), (await holdersOf(name)).find(({ behind }) => behind !== null)?.behind?.error), PATIENT).toContain("of its own");
    expect((await getLease(tenant, { model: name })).model.revision).toBe(own.revision);
  });
});

describe("a canary of the tenant's own", () => {
  /** A tenant that follows, and tries a derived revision of the first on half of its users. */
  async function tenantWithCanary() {
    const name = newName();
    const first = await publish(name);
    const tenant = await provisionTenant();
    const granted = expectStatus(await grant(tenant, name), 200).json.revision as string;
    const own = await derive(tenant, name, first, '{"own":1}', "draft");
    expectStatus(await rollOut(tenant, name, { revision: own.revision, stage: "canary", percent: 50 }), 200);
    return { name, tenant, first, granted, own: own.revision as string };
  }
  const rollOut = (tenant: TestTenant, name: string, body: object) => api.post(`/v1/tenants/${tenant.id}/models/${name}/rollout`, { key: tenant.admin, body });
  const rollBackOwn = (tenant: TestTenant, name: string) => api.post(`/v1/tenants/${tenant.id}/models/${name}/rollback`, { key: tenant.admin });
  const modelOf = async (tenant: TestTenant, name: string) => {
    const models = expectStatus(await api.get(`/v1/tenants/${tenant.id}/models`, { key: tenant.reader }), 200).json.data as { id: string; revision: string; canary: { revision: string; percent: number } | null; waiting: string | null }[];
    return models.find(({ id }) => id === name);
  };
  const waitsFor = async (tenant: TestTenant, { revision }: Base) =>
    expect.poll(async () => (await upkeep(), (await grantsOf(tenant)).filter(({ waits }) => waits).map((one) => one.revision)), PATIENT).toEqual([revision]);

  test("goes on when another revision goes live in the catalogue, which waits, and goes live when the canary is rolled back", async () => {
    const { name, tenant, granted, own } = await tenantWithCanary();
    const second = await publish(name);
    await waitsFor(tenant, second);
    const shown = await modelOf(tenant, name);
    expect(shown).toMatchObject({ revision: granted, canary: { revision: own, percent: 50 }, waiting: expect.any(String) });
    // The newest waits, not each in turn.
    const third = await publish(name);
    await waitsFor(tenant, third);
    const waiting = (await modelOf(tenant, name))?.waiting;
    expect(waiting).not.toBe(shown?.waiting);
    expect(expectStatus(await rollBackOwn(tenant, name), 200).json).toMatchObject({ revision: waiting, canary: null, waiting: null });
    expect(await baseOf(tenant, name)).toBe(third.revision);
    expect((await grantsOf(tenant)).some(({ waits }) => waits)).toBe(false);
    const events = expectStatus(await api.get(`/v1/tenants/${tenant.id}/audit?limit=200`, { key: tenant.admin }), 200).json.data as { action: string; actor: string; details: { revision?: string } }[];
    expect(events.filter(({ action, details }) => action === "MODEL_PUBLISHED" && details.revision === waiting).map(({ actor }) => actor)).toEqual(["operator"]);
  });

  test("that is promoted stays live, and what waited is kept beside it", async () => {
    const { name, tenant, own } = await tenantWithCanary();
    const second = await publish(name);
    await waitsFor(tenant, second);
    expect(expectStatus(await rollOut(tenant, name, { revision: own, stage: "live" }), 200).json).toMatchObject({ revision: own, canary: null, waiting: null });
    expectStatus(await rollOut(tenant, name, { revision: (await draftOf(tenant, name)).revision, stage: "live" }), 200);
    expect(await baseOf(tenant, name)).toBe(second.revision);
  });

  test("is not ended by a grant that is put anew either; the operator rolls out what must not wait", async () => {
    const { name, tenant, own } = await tenantWithCanary();
    const second = await publish(name);
    const put = expectStatus(await grant(tenant, name, { revision: second.revision }), 200).json;
    expect(put).toMatchObject({ canary: { revision: own }, waiting: expect.any(String) });
    expectStatus(await api.post(`/v1/tenants/${tenant.id}/models/${name}/rollout`, { ...operator, body: { revision: put.waiting, stage: "live" } }), 200);
    expect(await baseOf(tenant, name)).toBe(second.revision);
  });

  test("does not keep what was rolled back from in the catalogue: not as live beside it, not waiting, not as the canary itself", async () => {
    const { name, tenant, first, granted, own } = await tenantWithCanary();
    await waitsFor(tenant, await publish(name));
    expectStatus(await rollBack(name), 200);
    await expect.poll(async () => (await upkeep(), (await modelOf(tenant, name))?.waiting), PATIENT).toBe(null);
    expectStatus(await rollBackOwn(tenant, name), 200);
    expect((await modelOf(tenant, name))?.revision).toBe(granted);
    // Live beside a canary, it is replaced beneath it.
    const third = await publish(name);
    await comesTo(tenant, name, third);
    expectStatus(await rollOut(tenant, name, { revision: own, stage: "canary", percent: 20 }), 200);
    expectStatus(await rollBack(name), 200);
    await comesTo(tenant, name, first);
    expect(await modelOf(tenant, name)).toMatchObject({ revision: granted, canary: { revision: own, percent: 20 }, waiting: null });
  });

  test("that loses its base leaves nothing waiting", async () => {
    const { name, tenant, first, granted, own } = await tenantWithCanary();
    await waitsFor(tenant, await publish(name));
    expectStatus(await revoke(tenant, name), 200);
    expect(expectStatus(await grant(tenant, name, { revision: first.revision }), 200).json).toMatchObject({ revision: granted, canary: { revision: own }, waiting: null });
  });
});

test("a grant that does not follow and is refused leaves the tenant following; one that is taken ends it", async () => {
  const name = newName();
  const first = await publish(name);
  const tenant = await provisionTenant();
  expectStatus(await grant(tenant, name), 200);
  const loops = await publish(name, { control_flow: true }); // which a tenant has to be allowed
  expect((await grant(tenant, name, { revision: loops.revision })).code).toBe("model-control-flow");
  expect((await grantsOf(tenant)).map(({ follows }) => follows)).toEqual([true]);
  const third = await publish(name);
  await comesTo(tenant, name, third);
  expectStatus(await grant(tenant, name, { revision: first.revision }), 200);
  await expect.poll(async () => (await upkeep(), (await holdersOf(name)).some(({ follows }) => follows)), PATIENT).toBe(false);
  await publish(name);
  await upkeep();
  expect(await baseOf(tenant, name)).toBe(first.revision);
});

describe("a retired revision of the catalogue", () => {
  test("is deleted on demand where nothing stands on it, and with it what the tenant has of it", async () => {
    const name = newName();
    const first = await publish(name);
    const tenant = await provisionTenant();
    expectStatus(await grant(tenant, name), 200);
    const second = await publish(name);
    await comesTo(tenant, name, second);
    expect((await remove(first)).code).toBe("conflict"); // a page may have it for a week
    advance(8 * DAY_MS);
    expectStatus(await remove(first), 200);
    expect((await holdersOf(name)).map(({ revision }) => revision)).toEqual([second.revision]);
    expect((await grantsOf(tenant)).map(({ revision }) => revision)).toEqual([second.revision]);
    expect((expectStatus(await api.get(`/v1/tenants/${tenant.id}/models/${name}/revisions`, { key: tenant.reader }), 200).json.data as unknown[])).toHaveLength(1);
    expect(await baseOf(tenant, name)).toBe(second.revision);
    expect((await remove(second)).code).toBe("conflict");
  });

  test("stays while a derived model stands on it, whatever its stage, and while a lease is for it", async () => {
    const name = newName();
    const first = await publish(name);
    const [deriving, leasing] = [await provisionTenant(), await provisionTenant()];
    for (const tenant of [deriving, leasing]) expectStatus(await grant(tenant, name), 200);
    await derive(deriving, "mine", first, '{"a":1}');
    const second = await publish(name);
    for (const tenant of [deriving, leasing]) await comesTo(tenant, name, second);
    const ready = (expectStatus(await api.get(`/v1/tenants/${leasing.id}/models/${name}/revisions`, { key: leasing.reader }), 200).json.data as { revision: string }[])[0]?.revision;
    advance(7 * DAY_MS - 60_000);
    expect((await getLease(leasing, { model: name, revision: ready, ttl_s: 300 })).model.revision).toBe(ready);
    advance(120_000);
    expect((await remove(first)).code).toBe("conflict");
    advance(300_000);
    expect((await remove(first)).code).toBe("conflict");
    expect((await holdersOf(name)).filter(({ revision }) => revision === first.revision).map(({ tenant }) => tenant)).toEqual([deriving.id]);
    expect((await getLease(deriving, { model: "mine" })).model.id).toBe("mine");
    expectStatus(await api.delete(`/v1/tenants/${deriving.id}/models/mine`, { key: deriving.admin }), 200);
    expectStatus(await remove(first), 200);
  });

  test("goes though a tenant was given it, where it never went live there: superseded while a canary went on, or kept beside the tenant's own; what waits stays", async () => {
    const name = newName();
    const first = await publish(name);
    const [superseded, waiting, beside] = [await provisionTenant(), await provisionTenant(), await provisionTenant()];
    for (const tenant of [superseded, waiting, beside]) {
      expectStatus(await grant(tenant, name), 200);
      const own = await derive(tenant, name, first, '{"own":1}', tenant === beside ? "live" : "draft");
      if (tenant !== beside) expectStatus(await api.post(`/v1/tenants/${tenant.id}/models/${name}/rollout`, { key: tenant.admin, body: { revision: own.revision, stage: "canary", percent: 50 } }), 200);
    }
    const hold = (tenant: TestTenant, { revision }: Base) => expect.poll(async () => (await upkeep(), (await grantsOf(tenant)).map((one) => one.revision)), PATIENT).toContain(revision);
    const second = await publish(name);
    for (const tenant of [superseded, waiting, beside]) await hold(tenant, second);
    expectStatus(await grant(waiting, name, { revision: second.revision }), 200);
    const third = await publish(name);
    for (const tenant of [superseded, beside]) await hold(tenant, third);
    advance(600_000);
    expect((await remove(second)).code).toBe("conflict");
    expect((await holdersOf(name)).filter(({ revision }) => revision === second.revision).map(({ tenant }) => tenant)).toEqual([waiting.id]);
    for (const tenant of [superseded, beside]) {
      expect((await grantsOf(tenant)).map(({ revision }) => revision).sort()).toEqual([first.revision, third.revision].sort());
      expect((expectStatus(await api.get(`/v1/tenants/${tenant.id}/models/${name}/revisions`, { key: tenant.reader }), 200).json.data as unknown[])).toHaveLength(3);
    }
    expectStatus(await revoke(waiting, name), 200);
    expectStatus(await remove(second), 200);
  });

  test("goes alike where it never was live in the catalogue, but was tried on a tenant", async () => {
    const name = newName();
    const first = await publish(name);
    const tenant = await provisionTenant();
    const bytes = tinyOnnx(90, ++fills);
    const tried = await publishFiles(name, [{ path: "onnx/model.onnx", bytes, cut: bytes.length }], {}, "draft");
    expectStatus(await grant(tenant, name, { revision: tried.revision }), 200);
    advance(600_000);
    expect((await remove({ model: first.model, revision: tried.revision })).code).toBe("conflict"); // it is live there
    expectStatus(await grant(tenant, name), 200);
    advance(8 * DAY_MS);
    expectStatus(await remove({ model: first.model, revision: tried.revision }), 200);
    expect((await grantsOf(tenant)).map(({ revision }) => revision)).toEqual([first.revision]);
  });

  test("goes by itself 30 days after it was retired, but for the one that a rollback would go to", async () => {
    const name = newName();
    const revisions = [await publish(name)];
    const tenant = await provisionTenant();
    expectStatus(await grant(tenant, name), 200);
    for (let more = 0; more < 2; more++) {
      advance(1000);
      const next = await publish(name);
      await comesTo(tenant, name, next);
      revisions.push(next);
    }
    advance(31 * DAY_MS);
    const left = async () => (expectStatus(await api.get(`/v1/catalog/models/${name}/revisions`, operator), 200).json.data as Base[]).map(({ revision }) => revision);
    await expect.poll(async () => (await upkeep(), left()), PATIENT).toEqual(revisions.slice(1).map(({ revision }) => revision));
    expect((await grantsOf(tenant)).map(({ revision }) => revision).sort()).toEqual(revisions.slice(1).map(({ revision }) => revision).sort());
    expectStatus(await rollBack(name), 200);
    await comesTo(tenant, name, revisions[1] as Base);
  });
});

async function draftOf(tenant: TestTenant, name: string): Promise<{ revision: string }> {
  const found = expectStatus(await api.get(`/v1/tenants/${tenant.id}/models/${name}/revisions`, { key: tenant.reader }), 200).json.data as { revision: string; stage: string }[];
  return found.find(({ stage }) => stage === "draft") as { revision: string };
}
