/** The operator's catalogue: granted models are had by who was granted them and by nobody else; derived ones; revocation. */
import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, test } from "vitest";
import type { Base } from "../../../schema/contract/models.ts";
import { type Answer, OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { fileOf, grant, publishInCatalog, revoke } from "../../support/catalog.ts";
import { madeModel, madeNode, modelBytes, tinyOnnx } from "../../support/onnx.ts";
import { DEFAULT_PRICES, type TestTenant, askLease, getLease, manifestBytes, objectOf, provisionTenant, publishTinyModel, quotaOf, sha256Hex } from "../../support/tenant.ts";

const bytesOf = (text: string) => Uint8Array.from(new TextEncoder().encode(text));
const ONNX = tinyOnnx(100, 50);
const LABELS = bytesOf('{"0":"cat"}');
const OWN_LABELS = bytesOf('{"0":"Katze"}');
const ADAPTER = bytesOf("an adapter of the tenant's own");

const modelsOf = async (tenant: TestTenant) => (expectStatus(await api.get(`/v1/tenants/${tenant.id}/models`, { key: tenant.reader }), 200).json.data as { id: string }[]).map(({ id }) => id);
const keysOf = async (bucket: R2Bucket, tenant: string) => (await bucket.list({ prefix: `tenants/${tenant}/` })).objects.map(({ key }) => key.split("/").slice(2).join("/"));
const blob = async (bytes: Uint8Array<ArrayBuffer>, key: string) => api.get(`/v1/blobs/${await sha256Hex(bytes)}`, { key });
/** All that an answer says, but for the names of the request and of the tenant. */
const said = ({ status, json }: Answer) => ({ status, ...json, request_id: "" });

let base: Base;
beforeAll(async () => {
  base = await publishInCatalog("cats", { "onnx/model.onnx": ONNX, "labels.json": LABELS });
});

/** Every tenant that the catalogue's object knows of. */
const holdersNow = () => runInDurableObject(objectOf("_catalog"), (_, { storage }) => storage.sql.exec<{ tenant: string }>("SELECT DISTINCT tenant FROM holders").toArray().map(({ tenant }) => tenant));

test("of an erased tenant the catalogue knows nothing", async () => {
  const tenant = await provisionTenant();
  expectStatus(await grant(tenant, "cats"), 200);
  expect(await holdersNow()).toContain(tenant.id);
  expectStatus(await api.delete(`/v1/tenants/${tenant.id}`, { key: OPERATOR_KEY }), 202);
  await expect.poll(async () => {
    await runDurableObjectAlarm(objectOf(tenant.id));
    return (await api.get(`/v1/tenants/${tenant.id}/erasure`, { key: OPERATOR_KEY })).json.finished_at !== null;
  }, { timeout: 20_000 }).toBe(true);
  expect([await holdersNow(), await keysOf(env.BLOBS, tenant.id)]).toEqual([expect.not.arrayContaining([tenant.id]), []]);
  expect((await grant(tenant, "cats")).code).toBe("not-found");
});

describe("a model of the catalogue", () => {
  test("that was not granted is not there, and its bytes are as those of nobody", async () => {
    const [tenant, other] = [await provisionTenant(), await provisionTenant()];
    expectStatus(await grant(other, "cats"), 200);
    expect(await modelsOf(tenant)).toEqual([]);
    expect((await askLease(tenant, { model: "cats" })).code).toBe("model-not-available");
    expect(said(await blob(ONNX, tenant.secret))).toEqual(said(await blob(bytesOf("nobody's"), tenant.secret)));
    await publishTinyModel(tenant);
    const lease = await getLease(tenant);
    expect(said(await blob(ONNX, lease.lease))).toEqual(said(await blob(bytesOf("nobody's"), lease.lease)));
    const derive = (from: object) => api.post(`/v1/tenants/${tenant.id}/models/mine/derive`, { key: tenant.admin, body: { base: from, files: [{ path: "a", size: 1, sha256: "0".repeat(64), chunks: [{ sha256: "0".repeat(64), size: 1 }] }], prices: DEFAULT_PRICES } });
    expect(said(await derive(base))).toEqual(said(await derive({ model: "nothing", revision: `rev_${"0".repeat(24)}` })));
  });

  test("is a model of who was granted it: listed, leased, delivered; stored once, in the catalogue", async () => {
    const tenant = await provisionTenant();
    const model = expectStatus(await grant(tenant, "cats"), 200).json;
    expect([model.id, model.prices]).toEqual(["cats", DEFAULT_PRICES]);
    expect(await modelsOf(tenant)).toEqual(["cats"]);
    const lease = await getLease(tenant, { model: "cats", purpose: "download" });
    const manifest = expectStatus(await api.get("/v1/models/cats/manifest", { key: lease.lease }), 200);
    expect(await sha256Hex(manifest.text)).toBe(lease.model.manifest_sha256);
    expect(manifest.json).toMatchObject({ tenant: tenant.id, model: "cats", revision: model.revision, base });
    expect((await blob(ONNX, lease.lease)).text).toBe(new TextDecoder().decode(ONNX));
    expect((await api.get(`/v1/blobs/${await sha256Hex(LABELS)}`, { key: tenant.secret, headers: { range: "bytes=0-3" } })).text).toBe('{"0"');
    expect(await quotaOf(tenant)).toMatchObject({ storage_bytes: { posted: await manifestBytes(tenant) }, egress_bytes_daily: { posted: 104 }, model_quota: { posted: 1 } });
    expect(await keysOf(env.BLOBS, tenant.id)).toEqual([`models/cats/${model.revision}/manifest.json`]);
    const actions = (expectStatus(await api.get(`/v1/tenants/${tenant.id}/audit`, { key: tenant.reader }), 200).json.data as { action: string; actor: string }[]).filter(({ action }) => action.startsWith("MODEL_"));
    expect(actions.map(({ action, actor }) => [action, actor]).sort()).toEqual([["MODEL_GRANTED", "operator"], ["MODEL_PUBLISHED", "operator"]]);
  });

  test("granted again is the same; where it does not follow, a newer revision goes live with its own grant, and not before", async () => {
    const tenant = await provisionTenant();
    const older = await publishInCatalog("moving", tinyOnnx(80, 1));
    const stay = { follow: false };
    const first = expectStatus(await grant(tenant, "moving", stay), 200).json;
    expect(expectStatus(await grant(tenant, "moving", stay), 200).json).toEqual(first);
    const newer = await publishInCatalog("moving", tinyOnnx(80, 2));
    expect((await getLease(tenant, { model: "moving" })).model.revision).toBe(first.revision);
    const second = expectStatus(await grant(tenant, "moving", stay), 200).json;
    expect((await getLease(tenant, { model: "moving" })).model.revision).toBe(second.revision);
    const grants = expectStatus(await api.get(`/v1/tenants/${tenant.id}/catalog`, { key: tenant.reader }), 200).json.data as Base[];
    expect(grants.map(({ revision }) => revision).sort()).toEqual([older.revision, newer.revision].sort());
    expect(expectStatus(await grant(tenant, "moving", { revision: older.revision }), 200).json.revision).toBe(first.revision);
    const page = expectStatus(await api.get("/v1/catalog/models/moving/grants?limit=1", { key: OPERATOR_KEY }), 200).json;
    const rest = expectStatus(await api.get(`/v1/catalog/models/moving/grants?cursor=${page.next_cursor}`, { key: OPERATOR_KEY }), 200).json;
    expect([...page.data, ...rest.data]).toMatchObject([{ tenant: tenant.id, model: "moving" }, { tenant: tenant.id, model: "moving" }]);
  });

  test("costs what the operator says, at least: no entry of the tenant's admin goes under it, nor a model derived from it", async () => {
    const tenant = await provisionTenant();
    const prices = { input_nanos_per_token: 100, output_nanos_per_token: 200, call_nanos: 0 };
    expectStatus(await grant(tenant, "cats", { prices }), 200);
    const cheap = { input_nanos_per_token: 0, output_nanos_per_token: 300 };
    const entry = expectStatus(await api.post(`/v1/tenants/${tenant.id}/models/cats/prices`, { key: tenant.admin, body: cheap }), 201).json;
    expect(entry.effective).toMatchObject({ input_nanos_per_token: 100, output_nanos_per_token: 300 });
    const model = await derived(tenant, base, { prices: cheap });
    expect(model.prices).toMatchObject({ input_nanos_per_token: 100, output_nanos_per_token: 300 });
    const lease = await getLease(tenant, { model: "mine", tokens: 10 });
    expectStatus(await api.post(`/v1/leases/${lease.lease_id}/usage`, { key: lease.lease, body: { seq: 0, request_id: "req_1", input_tokens: 10, output_tokens: 0, outcome: "ok", latency_ms: 1, backend: "wasm", cache: "hit", final: true } }), 200);
    expect(expectStatus(await api.get(`/v1/leases/${lease.lease_id}`, { key: tenant.secret }), 200).json.cost.nanos).toBe(1000);
  });

  test.each<[string, (tenant: TestTenant) => Promise<Answer>, string]>([
    ["that is not there", (tenant) => grant(tenant, "nothing"), "not-found"],
    ["in a revision that is not there", (tenant) => grant(tenant, "cats", { revision: `rev_${"0".repeat(24)}` }), "not-found"],
    ["to a tenant that is not there", () => grant({ id: "nobody-at-all" }, "cats"), "not-found"],
    ["to the catalogue itself", () => grant({ id: "_catalog" }, "cats"), "not-found"],
    ["by the tenant's own admin", (tenant) => api.put(`/v1/tenants/${tenant.id}/catalog/cats`, { key: tenant.admin, body: {} }), "forbidden"],
    ["under a name that the tenant has", async (tenant) => (await publishTinyModel(tenant, { model: "cats" }), grant(tenant, "cats")), "conflict"],
    ["beyond model_quota", async (tenant) => (await api.patch(`/v1/tenants/${tenant.id}`, { key: OPERATOR_KEY, body: { model_quota: 0 } }), grant(tenant, "cats")), "model-quota-exceeded"],
    ["with control flow that the tenant may not have", async (tenant) => {
      const loop = madeModel({ nodes: [madeNode("If", [], ["y"], { attributes: [{ name: "then", type: 5, g: madeModel({}).graph, rest: new Uint8Array(0) }] })] });
      await publishInCatalog("flowing", modelBytes(loop), { control_flow: true });
      return grant(tenant, "flowing");
    }, "model-control-flow"],
  ])("%s is not granted", async (_, ask, code) => {
    const tenant = await provisionTenant();
    expect((await ask(tenant)).code).toBe(code);
    expect(expectStatus(await api.get(`/v1/tenants/${tenant.id}/catalog`, { key: tenant.reader }), 200).json.data).toEqual([]);
    expect(await keysOf(env.BLOBS, tenant.id)).not.toContainEqual(expect.stringMatching(/^models\/flowing/));
    expect(await holdersNow()).not.toContain(tenant.id);
  });

  test("is inspected as any: a hostile one is never there to be granted", async () => {
    await expect(publishInCatalog("evil", bytesOf("no model at all"))).rejects.toThrow("model-unreadable");
    expect((await grant(await provisionTenant(), "evil")).code).toBe("not-found");
  });
});

/** The model `mine`: the base with labels and an adapter of the tenant's own. */
async function derived(tenant: TestTenant, from: Base, more: object = {}) {
  const files = [await fileOf("labels.json", OWN_LABELS), await fileOf("adapter.bin", ADAPTER)];
  const begun = expectStatus(await api.post(`/v1/tenants/${tenant.id}/models/mine/derive`, { key: tenant.admin, body: { base: from, files, prices: DEFAULT_PRICES, ...more } }), 201).json;
  expect([...begun.missing].sort()).toEqual([await sha256Hex(OWN_LABELS), await sha256Hex(ADAPTER)].sort());
  const commit = () => api.post(`/v1/tenants/${tenant.id}/models/mine/revisions/${begun.revision}/commit`, { key: tenant.admin });
  expect((await commit()).code).toBe("revision-incomplete");
  for (const bytes of [OWN_LABELS, ADAPTER]) expectStatus(await api.put(`/v1/tenants/${tenant.id}/blobs/${await sha256Hex(bytes)}`, { key: tenant.admin, body: bytes }), 201);
  return expectStatus(await commit(), 200).json;
}

describe("a derived model", () => {
  test("is the base with the tenant's own files, which are the tenant's alone", async () => {
    const [tenant, other] = [await provisionTenant(), await provisionTenant()];
    for (const one of [tenant, other]) expectStatus(await grant(one, "cats"), 200);
    await derived(tenant, base);
    const lease = await getLease(tenant, { model: "mine" });
    const { json } = expectStatus(await api.get("/v1/models/mine/manifest", { key: lease.lease }), 200);
    const files = json.variants[0].files as { path: string; sha256: string }[];
    expect(Object.fromEntries(files.map(({ path, sha256 }) => [path, sha256]))).toEqual({ "onnx/model.onnx": await sha256Hex(ONNX), "labels.json": await sha256Hex(OWN_LABELS), "adapter.bin": await sha256Hex(ADAPTER) });
    expect(json.base).toEqual(base);
    for (const bytes of [ONNX, OWN_LABELS, ADAPTER]) expect((await blob(bytes, lease.lease)).text).toBe(new TextDecoder().decode(bytes));
    // The file of the base that was replaced is not the derived model's.
    expect((await blob(LABELS, lease.lease)).code).toBe("not-found");
    expect(await quotaOf(tenant)).toMatchObject({ storage_bytes: { posted: OWN_LABELS.length + ADAPTER.length + (await manifestBytes(tenant)) } });
    const otherLease = await getLease(other, { model: "cats" });
    for (const key of [other.secret, otherLease.lease]) expect((await blob(ADAPTER, key)).code).toBe("not-found");
    expect((await blob(ADAPTER, OPERATOR_KEY)).status).toBe(403);
  });

  test("has its own ONNX file inspected, against files that the base brings", async () => {
    const tenant = await provisionTenant();
    const outside = (location: string) => modelBytes(madeModel({ initializers: [{ name: "w", dataType: 2, dims: [4], data: { kind: "external", location, offset: 0 }, rest: new Uint8Array(0) }] }));
    const weighty = await publishInCatalog("weighty", { "onnx/model.onnx": ONNX, "onnx/weights.bin": new Uint8Array(4) });
    expectStatus(await grant(tenant, "weighty"), 200);
    const publish = async (bytes: Uint8Array<ArrayBuffer>) => {
      const body = { base: weighty, files: [await fileOf("onnx/model.onnx", bytes)], prices: DEFAULT_PRICES };
      const begun = expectStatus(await api.post(`/v1/tenants/${tenant.id}/models/mine/derive`, { key: tenant.admin, body }), 201).json;
      await api.put(`/v1/tenants/${tenant.id}/blobs/${await sha256Hex(bytes)}`, { key: tenant.admin, body: bytes });
      return api.post(`/v1/tenants/${tenant.id}/models/mine/revisions/${begun.revision}/commit`, { key: tenant.admin });
    };
    expect((await publish(outside("../weights.bin"))).code).toBe("model-external-path");
    expectStatus(await publish(outside("weights.bin")), 200);
  });
});

describe("a revoked grant", () => {
  test("ends what stands on it, and no more; the next grant brings it back", async () => {
    const tenant = await provisionTenant();
    await publishTinyModel(tenant);
    expectStatus(await grant(tenant, "cats"), 200);
    await derived(tenant, base);
    const lease = await getLease(tenant, { model: "mine" });
    expect(await modelsOf(tenant)).toEqual(["cats", "mine", "tiny"]);
    expect(expectStatus(await revoke(tenant, "cats"), 200).json).toEqual({ model: "cats", revisions: [base.revision] });
    expect(await modelsOf(tenant)).toEqual(["tiny"]);
    for (const model of ["cats", "mine"]) expect((await askLease(tenant, { model })).code).toBe("model-not-available");
    for (const key of [lease.lease, tenant.secret]) expect((await blob(ONNX, key)).code).toBe("not-found");
    expect((await blob(ADAPTER, tenant.secret)).status).toBe(200);
    expect(expectStatus(await api.get("/v1/catalog/models/cats/grants?limit=200", { key: OPERATOR_KEY }), 200).json.data.some((one: { tenant: string }) => one.tenant === tenant.id)).toBe(false);
    expect((await api.get("/v1/models/mine/manifest", { key: tenant.secret })).code).toBe("model-not-available");
    expectStatus(await revoke(tenant, "cats"), 200);
    expectStatus(await grant(tenant, "cats"), 200);
    expectStatus(await askLease(tenant, { model: "mine" }), 201);
    expect((await blob(ONNX, lease.lease)).status).toBe(200);
  });

  test("leaves what stands on it rolled out to nobody, and a rollback passes over it", async () => {
    const tenant = await provisionTenant();
    const own = await publishTinyModel(tenant, { model: "mine" });
    expectStatus(await grant(tenant, "cats"), 200);
    const standing = await derived(tenant, base);
    const newest = await publishTinyModel(tenant, { model: "mine", fill: 8 });
    expectStatus(await revoke(tenant, "cats"), 200);
    const rollOut = (body: object) => api.post(`/v1/tenants/${tenant.id}/models/mine/rollout`, { key: tenant.admin, body: { revision: standing.revision, ...body } });
    const asked = [await rollOut({ stage: "live" }), await rollOut({ stage: "canary", percent: 50 }), await api.post(`/v1/tenants/${tenant.id}/models/mine/revisions/${standing.revision}/commit`, { key: tenant.admin, body: {} })];
    expect(asked.map(({ status, code }) => [status, code])).toEqual(Array.from({ length: 3 }, () => [409, "base-not-granted"]));
    expect((await getLease(tenant, { model: "mine" })).model.revision).toBe(newest.revision);
    const back = () => api.post(`/v1/tenants/${tenant.id}/models/mine/rollback`, { key: tenant.admin, body: {} });
    expect(expectStatus(await back(), 200).json.revision).toBe(own.revision);
    expectStatus(await grant(tenant, "cats"), 200);
    expect(expectStatus(await rollOut({ stage: "live" }), 200).json.revision).toBe(standing.revision);
  });

  test("is why there is nothing to roll back to, where nothing else was live", async () => {
    const tenant = await provisionTenant();
    expectStatus(await grant(tenant, "cats"), 200);
    await derived(tenant, base);
    await publishTinyModel(tenant, { model: "mine" });
    expectStatus(await revoke(tenant, "cats"), 200);
    expect((await api.post(`/v1/tenants/${tenant.id}/models/mine/rollback`, { key: tenant.admin, body: {} })).code).toBe("base-not-granted");
  });
});

describe("a deletion", () => {
  test("by the tenant takes a granted model from its list, not from the catalogue; the next grant brings it back", async () => {
    const tenant = await provisionTenant();
    const first = expectStatus(await grant(tenant, "cats"), 200).json;
    await derived(tenant, base);
    expectStatus(await api.delete(`/v1/tenants/${tenant.id}/models/cats`, { key: tenant.admin }), 200);
    expect(await modelsOf(tenant)).toEqual(["mine"]);
    const lease = await getLease(tenant, { model: "mine" });
    expect((await blob(ONNX, lease.lease)).status).toBe(200);
    await expect.poll(async () => (await grant(tenant, "cats")).status, { timeout: 20_000 }).toBe(200);
    expect((await getLease(tenant, { model: "cats" })).model.revision).toBe(first.revision);
  });

  test("of what tenants hold in the catalogue is refused; of what nobody holds any more, done", async () => {
    const tenant = await provisionTenant();
    const bytes = tinyOnnx(90, 3);
    const held = await publishInCatalog("held", bytes);
    expectStatus(await grant(tenant, "held", { follow: false }), 200);
    await publishInCatalog("held", tinyOnnx(90, 4));
    const remove = (path: string) => api.delete(`/v1/catalog/models/held${path}`, { key: OPERATOR_KEY });
    expect([(await remove("")).code, (await remove(`/revisions/${held.revision}`)).code]).toEqual(["conflict", "conflict"]);
    expect((await blob(bytes, (await getLease(tenant, { model: "held" })).lease)).status).toBe(200);
    expectStatus(await revoke(tenant, "held"), 200);
    expectStatus(await remove(`/revisions/${held.revision}`), 200);
    expect((await grant(tenant, "held", { revision: held.revision })).code).toBe("not-found");
    expectStatus(await remove(""), 200);
    await expect.poll(async () => (await keysOf(env.BLOBS, "_catalog")).filter((key) => key.startsWith("models/held/")), { timeout: 20_000 }).toEqual([]);
  });
});

test("a large model of the catalogue is delivered by passes too", async () => {
  const tenant = await provisionTenant();
  const blobs = [1, 2, 3].map((fill) => new Uint8Array(4 * 1024 ** 2).fill(fill));
  await publishInCatalog("large", Object.fromEntries(blobs.map((bytes, at) => [`${at}.bin`, bytes])));
  expectStatus(await grant(tenant, "large"), 200);
  const lease = await getLease(tenant, { model: "large", purpose: "download" });
  for (const bytes of blobs) {
    const answer = await blob(bytes, lease.lease);
    expect([answer.status, answer.text.length, answer.text.charCodeAt(0)]).toEqual([200, bytes.length, bytes[0]]);
  }
});

test("a tenant with stores of its own has the manifest there, and reads the catalogue's chunks where they are", async () => {
  const tenant = await provisionTenant({ id: "full-a" as never, isolation_level: "full" });
  const { revision } = expectStatus(await grant(tenant, "cats"), 200).json;
  expect(await keysOf(env.BLOBS, tenant.id)).toEqual([]);
  expect(await keysOf(env.BLOBS_FULL_A, tenant.id)).toEqual([`models/cats/${revision}/manifest.json`]);
  const lease = await getLease(tenant, { model: "cats" });
  expect((await blob(ONNX, lease.lease)).status).toBe(200);
});

test("the catalogue is no tenant: it is in no list, and no path leads to it", async () => {
  const listed = expectStatus(await api.get("/v1/tenants?limit=200", { key: OPERATOR_KEY }), 200).json.data as { id: string }[];
  expect(listed.some(({ id }) => id.includes("catalog"))).toBe(false);
  for (const path of ["/v1/tenants/_catalog", "/v1/tenants/_catalog/models", "/v1/tenants/_catalog/keys"]) expect((await api.get(path, { key: OPERATOR_KEY })).code).toBe("not-found");
  expect((await api.post("/v1/tenants", { key: OPERATOR_KEY, body: { id: "_catalog", name: "x" } })).code).toBe("invalid-request");
  expect(await runInDurableObject(objectOf("_catalog"), (_, { storage }) => storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM keys").one().n)).toBe(0);
});
