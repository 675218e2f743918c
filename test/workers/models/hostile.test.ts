/** Hostile ONNX files at commit: each is refused with its own code, and nothing of it goes live; the operator's switch. */
import { beforeAll, describe, expect, test } from "vitest";
import type { OnnxModel, OnnxTensor } from "../../../schema/onnx/types.ts";
import { type Answer, OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { r2 } from "../../support/r2-tap.ts";
import { madeModel, madeNode, modelBytes } from "../../support/onnx.ts";
import { DEFAULT_PRICES, type TestTenant, askLease, provisionTenant, sha256Hex } from "../../support/tenant.ts";

const NOTHING = new Uint8Array(0);
const weights = (more: Partial<OnnxTensor>): OnnxModel => madeModel({ initializers: [{ name: "w", dataType: 1, dims: [4], data: { kind: "none" }, rest: NOTHING, ...more }] });
const outside = (location: string, more: object = {}) => weights({ data: { kind: "external", location, offset: 0, ...more } });
const nested = (depth: number): OnnxModel => madeModel({ nodes: [madeNode("If", [], ["y"], depth === 0 ? {} : { attributes: [{ name: "then", type: 5, g: nested(depth - 1).graph, rest: NOTHING }] })] });
const loop = nested(1);
const doubling = (): OnnxModel => ({
  ...madeModel({ nodes: [madeNode("f0", [], ["y"], { domain: "d" })] }),
  functions: Array.from({ length: 12 }, (_, at) => ({ name: `f${at}`, domain: "d", rest: NOTHING, nodes: Array.from({ length: 8 }, (__, n) => madeNode(`f${at + 1}`, [], [`o${n}`], { domain: "d" })) })),
});

interface Files {
  readonly [path: string]: Uint8Array<ArrayBuffer>;
}

async function begin(tenant: TestTenant, files: Files, more: object = {}): Promise<Answer> {
  const listed = await Promise.all(Object.entries(files).map(async ([path, bytes]) => ({ path, size: bytes.length, sha256: await sha256Hex(bytes), chunks: [{ sha256: await sha256Hex(bytes), size: bytes.length }] })));
  const body = { task: "raw", usage: { measure: "per-run", tokens: 1 }, prices: DEFAULT_PRICES, variants: [{ id: "all", files: listed }], ...more };
  return api.post(`/v1/tenants/${tenant.id}/models/tiny/revisions`, { key: tenant.admin, body });
}

async function publish(tenant: TestTenant, files: Files, more: object = {}): Promise<Answer> {
  const begun = expectStatus(await begin(tenant, files, more), 201).json;
  for (const bytes of Object.values(files)) expectStatus(await api.put(`/v1/tenants/${tenant.id}/blobs/${await sha256Hex(bytes)}`, { key: tenant.admin, body: bytes }), 200, 201);
  return api.post(`/v1/tenants/${tenant.id}/models/tiny/revisions/${begun.revision}/commit`, { key: tenant.admin });
}

/** A file of two chunks, which are stored; and a revision of it, with the chunks in that order. */
async function inTwoChunks(tenant: TestTenant) {
  const pieces = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5)];
  const chunks = await Promise.all(pieces.map(async (bytes) => ({ sha256: await sha256Hex(bytes), size: bytes.length })));
  for (const [index, bytes] of pieces.entries()) expectStatus(await api.put(`/v1/tenants/${tenant.id}/blobs/${chunks[index]?.sha256}`, { key: tenant.admin, body: bytes }), 201);
  const file = { path: "weights.bin", size: 5, sha256: await sha256Hex(Uint8Array.of(1, 2, 3, 4, 5)) };
  const begun = async (order: typeof chunks): Promise<{ commit: () => Promise<Answer> }> => {
    const body = { task: "raw", usage: { measure: "per-run", tokens: 1 }, prices: DEFAULT_PRICES, variants: [{ id: "all", files: [{ ...file, chunks: order }] }] };
    const { revision } = expectStatus(await api.post(`/v1/tenants/${tenant.id}/models/tiny/revisions`, { key: tenant.admin, body }), 201).json;
    return { commit: () => api.post(`/v1/tenants/${tenant.id}/models/tiny/revisions/${revision}/commit`, { key: tenant.admin }) };
  };
  return { chunks, begun };
}

test("a file whose chunks make another than its digest says is refused, and goes live once they make it", async () => {
  const tenant = await provisionTenant();
  const { chunks, begun } = await inTwoChunks(tenant);
  const refused = await (await begun(chunks.toReversed())).commit();
  expect([refused.status, refused.code, (await askLease(tenant)).code]).toEqual([422, "digest-mismatch", "model-not-available"]);
  expectStatus(await (await begun(chunks)).commit(), 200);
  expect((await askLease(tenant)).status).toBe(201);
});

test("a commit that is cut off anywhere while it reads is simply sent again; so is one whose answer did not arrive", async () => {
  const tenant = await provisionTenant();
  const { chunks, begun } = await inTwoChunks(tenant);
  const { commit } = await begun(chunks);
  const failing = async (at: number): Promise<Answer> => {
    r2.fail((call) => (call === at ? "refuse" : null));
    return commit().finally(() => r2.heal());
  };
  for (const read of [0, 1, 2]) expect([(await failing(read)).status, (await askLease(tenant)).code]).toEqual([503, "model-not-available"]);
  const done = expectStatus(await failing(3), 200); // the manifest and both chunks are all that is read
  expect(expectStatus(await commit(), 200).json).toEqual(done.json);
});

describe("a revision with", () => {
  let tenant: TestTenant;
  beforeAll(async () => {
    tenant = await provisionTenant();
  });
  const whole = modelBytes(weights({ data: { kind: "raw", bytes: new Uint8Array(16) } }));

  test.each<[string, OnnxModel | Uint8Array<ArrayBuffer>, string]>([
    ["text in place of a model", Uint8Array.from(new TextEncoder().encode("version https://git-lfs.github.com/spec/v1")), "model-unreadable"],
    ["a model cut short", whole.slice(0, -3), "model-unreadable"],
    ["an overlong varint", new Uint8Array([0x08, ...Array.from({ length: 10 }, () => 0x80), 0x00]), "model-unreadable"],
    ["two graphs, of which readers see one or both", new Uint8Array([0x3a, 0, 0x3a, 0]), "model-unreadable"],
    ["a negative size", new Uint8Array([0x3a, 13, 0x2a, 11, 0x08, ...Array.from({ length: 9 }, () => 0xff), 0x01]), "model-unreadable"],
    ["dims beyond counting", weights({ dims: [2 ** 40, 2 ** 40] }), "model-dims-invalid"],
    ["gigabytes made of nothing", weights({ dims: [2 ** 28] }), "model-size-mismatch"],
    ["a path out of its folder", outside("../../tenants/other/blobs/x"), "model-external-path"],
    ["an absolute path", outside("/etc/passwd"), "model-external-path"],
    ["an address in memory for a path", outside("*/_ORT_MEM_ADDR_/*", { offset: 4096 }), "model-external-path"],
    ["data that are missing", outside("model.onnx_data"), "model-external-path"],
    ["data beyond the end of their file", outside("weights.bin", { offset: 8 }), "model-external-range"],
    ["a thousand tensors over the same bytes", madeModel({ initializers: Array.from({ length: 1000 }, (_, at) => ({ name: `w${at}`, dataType: 1, dims: [4], data: { kind: "external" as const, location: "weights.bin", offset: 0 }, rest: NOTHING })) }), "model-too-complex"],
    ["functions that multiply", doubling(), "model-too-complex"],
    ["nodes in a ring", madeModel({ nodes: [madeNode("Relu", ["b"], ["a"]), madeNode("Relu", ["a"], ["b"])] }), "model-graph-invalid"],
    ["control flow", loop, "model-control-flow"],
  ])("%s is refused", async (_, model, code) => {
    const bytes = model instanceof Uint8Array ? model : modelBytes(model);
    const refused = await publish(tenant, { "onnx/model.onnx": bytes, "onnx/weights.bin": new Uint8Array(16) });
    expect([refused.status, refused.code]).toEqual([422, code]);
    expect(refused.json.detail).toMatch(/^onnx\/model\.onnx: /);
    expect(expectStatus(await api.get(`/v1/tenants/${tenant.id}/models`, { key: tenant.reader }), 200).json.data).toEqual([]);
  });

  test("its weights in a file beside the model goes live, though the model stands in many chunks", async () => {
    const model = modelBytes({ ...outside("weights.bin"), functions: [] });
    const parts = [model.slice(0, 10), model.slice(10, 11), model.slice(11)];
    const data = new Uint8Array(16);
    const chunks = await Promise.all(parts.map(async (part) => ({ sha256: await sha256Hex(part), size: part.length })));
    const file = { path: "onnx/model.onnx", size: model.length, sha256: await sha256Hex(model), chunks };
    const beside = { path: "onnx/weights.bin", size: 16, sha256: await sha256Hex(data), chunks: [{ sha256: await sha256Hex(data), size: 16 }] };
    const begun = expectStatus(await begin(tenant, {}, { variants: [{ id: "all", files: [file, beside] }] }), 201).json;
    for (const bytes of [...parts, data]) await api.put(`/v1/tenants/${tenant.id}/blobs/${await sha256Hex(bytes)}`, { key: tenant.admin, body: bytes });
    expectStatus(await api.post(`/v1/tenants/${tenant.id}/models/tiny/revisions/${begun.revision}/commit`, { key: tenant.admin }), 200);
  });
});

describe("control flow", () => {
  const set = (tenant: TestTenant, allow: boolean, key = OPERATOR_KEY) => api.patch(`/v1/tenants/${tenant.id}`, { key, body: { allow_control_flow: allow } });
  const files = { "model.onnx": modelBytes(loop) };

  test("is the operator's to allow, for a revision that says that it has some", async () => {
    const tenant = await provisionTenant();
    expect((await set(tenant, true, tenant.admin)).code).toBe("forbidden");
    expect((await begin(tenant, files, { control_flow: true })).code).toBe("model-control-flow");
    expect(expectStatus(await set(tenant, true), 200).json.allow_control_flow).toBe(true);
    expect((await publish(tenant, files)).code).toBe("model-control-flow");
    const model = expectStatus(await publish(tenant, files, { control_flow: true }), 200).json;
    const manifest = expectStatus(await api.get("/v1/models/tiny/manifest", { key: tenant.secret }), 200).json;
    expect([manifest.revision, manifest.control_flow]).toEqual([model.revision, true]);
    expectStatus(await askLease(tenant), 201);
  });

  test("that is allowed no more gets no lease, until it is again", async () => {
    const tenant = await provisionTenant({ allow_control_flow: true });
    expectStatus(await publish(tenant, files, { control_flow: true }), 200);
    await set(tenant, false);
    expect((await askLease(tenant)).code).toBe("model-not-available");
    await set(tenant, true);
    expectStatus(await askLease(tenant), 201);
  });

  test("nested too deep is refused though it is allowed, and a draft begun before is not committed after it no longer is", async () => {
    const tenant = await provisionTenant({ allow_control_flow: true });
    expect((await publish(tenant, { "model.onnx": modelBytes(nested(5)) }, { control_flow: true })).code).toBe("model-control-flow");
    const begun = expectStatus(await begin(tenant, files, { control_flow: true }), 201).json;
    await api.put(`/v1/tenants/${tenant.id}/blobs/${await sha256Hex(files["model.onnx"])}`, { key: tenant.admin, body: files["model.onnx"] });
    await set(tenant, false);
    const commit = () => api.post(`/v1/tenants/${tenant.id}/models/tiny/revisions/${begun.revision}/commit`, { key: tenant.admin });
    expect((await commit()).code).toBe("model-control-flow");
    await set(tenant, true);
    expectStatus(await commit(), 200);
  });
});
