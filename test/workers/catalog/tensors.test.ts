/** A model that is a base with tensors of the tenant's own: the tenant stores these, and reads the rest from the catalogue. */
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import type { Base, ModelFile } from "../../../schema/contract/models.ts";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { cutFile, grant, publishFiles, revoke } from "../../support/catalog.ts";
import { madeModel, madeNode, modelBytes } from "../../support/onnx.ts";
import { type TestTenant, DEFAULT_PRICES, askLease, getLease, manifestBytes, provisionTenant, quotaOf, sha256Hex } from "../../support/tenant.ts";

const NOTHING = new Uint8Array(0);
const GRAPH = "onnx/model.onnx";
const WEIGHTS = "onnx/model.onnx_data";
/** Chunks of the base: small enough that tensors begin and end within them. */
const CUT = 1000;
const filled = (size: number, fill: number) => new Uint8Array(size).fill(fill);

/** `inside` and `more` stand in the graph's file; `outside` and `tied` are the same bytes of the weights' file; `numbers` are protobuf's. */
const model = madeModel({
  nodes: [madeNode("Identity", ["inside"], ["y"])],
  initializers: [
    { name: "inside", dataType: 2, dims: [2500], data: { kind: "raw", bytes: filled(2500, 1) }, rest: NOTHING },
    { name: "more", dataType: 2, dims: [2500], data: { kind: "raw", bytes: filled(2500, 2) }, rest: NOTHING },
    { name: "outside", dataType: 2, dims: [1500], data: { kind: "external", location: "model.onnx_data", offset: 700, length: 1500 }, rest: NOTHING },
    { name: "tied", dataType: 2, dims: [1500], data: { kind: "external", location: "model.onnx_data", offset: 700, length: 1500 }, rest: NOTHING },
    { name: "numbers", dataType: 7, dims: [0], data: { kind: "none" }, rest: NOTHING },
  ],
});
const graphBytes = modelBytes(model);
const weightBytes = Uint8Array.from({ length: 5000 }, (_, at) => at % 251);
let base: Base;

beforeAll(async () => {
  const files = [[GRAPH, graphBytes], [WEIGHTS, weightBytes], ["labels.json", new TextEncoder().encode("{}")]] as const;
  base = await publishFiles("tuned", files.map(([path, bytes]) => ({ path, bytes: Uint8Array.from(bytes), cut: CUT })));
});

const tensorOf = async (name: string, bytes: Uint8Array<ArrayBuffer>, path = GRAPH) => {
  const { size, chunks } = await cutFile(path, bytes, CUT);
  return { path, name, size, chunks };
};

async function granted(): Promise<TestTenant> {
  const tenant = await provisionTenant();
  expectStatus(await grant(tenant, "tuned"), 200);
  return tenant;
}

const derive = (tenant: TestTenant, body: object, name = "mine") => api.post(`/v1/tenants/${tenant.id}/models/${name}/derive`, { key: tenant.admin, body: { base, prices: DEFAULT_PRICES, ...body } });

/** Derives, puts what is missing of these bytes, commits. */
async function publish(tenant: TestTenant, body: object, own: readonly Uint8Array<ArrayBuffer>[]) {
  const begun = expectStatus(await derive(tenant, body), 201).json;
  const pieces = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const bytes of own) for (let at = 0; at < bytes.length; at += CUT) pieces.set(await sha256Hex(bytes.slice(at, at + CUT)), bytes.slice(at, at + CUT));
  expect((begun.missing as string[]).every((digest) => pieces.has(digest))).toBe(true);
  for (const digest of begun.missing as string[]) expectStatus(await api.put(`/v1/tenants/${tenant.id}/blobs/${digest}`, { key: tenant.admin, body: pieces.get(digest) }), 201);
  return api.post(`/v1/tenants/${tenant.id}/models/mine/revisions/${begun.revision}/commit`, { key: tenant.admin });
}

/** All files of the model as a client gets them. */
async function readFiles(tenant: TestTenant, name: string): Promise<Record<string, { file: ModelFile; bytes: Uint8Array }>> {
  const { lease } = await getLease(tenant, { model: name, purpose: "download" });
  const { variants } = expectStatus(await api.get(`/v1/models/${name}/manifest`, { key: lease }), 200).json;
  const read: Record<string, { file: ModelFile; bytes: Uint8Array }> = {};
  for (const file of variants[0].files as ModelFile[]) {
    const parts: number[] = [];
    for (const { sha256, size } of file.chunks) {
      const bytes = expectStatus(await api.get(`/v1/blobs/${sha256}`, { key: lease }), 200).bytes;
      expect([bytes.length, await sha256Hex(Uint8Array.from(bytes))]).toEqual([size, sha256]);
      parts.push(...bytes);
    }
    read[file.path] = { file, bytes: Uint8Array.from(parts) };
  }
  return read;
}

const ownBlobs = async (tenant: string) => (await env.BLOBS.list({ prefix: `tenants/${tenant}/blobs/` })).objects;

test("a changed tensor is stored with the tenant, the rest of its file is read from the base; both are one file to the client", async () => {
  const [tenant, other] = [await granted(), await granted()];
  const inside = filled(2500, 9);
  const outside = filled(1500, 8);
  const changed = { tensors: [await tensorOf("inside", inside), await tensorOf("outside", outside)] };
  expectStatus(await publish(tenant, changed, [inside, outside]), 200);
  const mine = await readFiles(tenant, "mine");
  const at = graphBytes.findIndex((_, from) => graphBytes.subarray(from, from + 2500).every((byte) => byte === 1) && graphBytes[from] === 1);
  const wanted = Uint8Array.from(graphBytes);
  wanted.set(inside, at);
  expect(mine[GRAPH]?.bytes).toEqual(wanted);
  const weights = Uint8Array.from(weightBytes);
  weights.set(outside, 700);
  expect(mine[WEIGHTS]?.bytes).toEqual(weights);
  expect(mine["labels.json"]?.file.sha256).toBeDefined();
  expect(mine[GRAPH]?.file).not.toHaveProperty("sha256");
  // What the tenant stores: its tensors, and less than two chunks of the base beside each.
  const stored = await ownBlobs(tenant.id);
  const bytes = stored.reduce((sum, { size }) => sum + size, 0);
  expect(bytes).toBeLessThan(inside.length + outside.length + 4 * CUT);
  expect((await quotaOf(tenant)).storage_bytes.posted).toBe(bytes + (await manifestBytes(tenant)));
  const whole = new Set((await cutFile(WEIGHTS, weightBytes, CUT)).chunks.map(({ sha256 }) => sha256));
  const lent = mine[WEIGHTS]?.file.chunks.filter(({ sha256 }) => whole.has(sha256)) ?? [];
  expect([lent.length, stored.some(({ key }) => lent.some(({ sha256 }) => key.endsWith(sha256)))]).toEqual([2, false]);
  // Another tenant with the same base reads none of it.
  const { lease } = await getLease(other, { model: "tuned" });
  for (const { key } of stored) for (const credential of [other.secret, lease]) expect((await api.get(`/v1/blobs/${key.split("/").at(-1)}`, { key: credential })).code).toBe("not-found");
  expect((await readFiles(other, "tuned"))[GRAPH]?.bytes).toEqual(Uint8Array.from(graphBytes));
});

test("it ends with the grant: no lease, no chunk of the base; its own tensors stay the tenant's", async () => {
  const tenant = await granted();
  const own = filled(1500, 7);
  expectStatus(await publish(tenant, { tensors: [await tensorOf("outside", own)] }, [own]), 200);
  const { lease } = await getLease(tenant, { model: "mine" });
  expectStatus(await revoke(tenant, "tuned"), 200);
  expect((await askLease(tenant, { model: "mine" })).code).toBe("model-not-available");
  const last = (await cutFile(WEIGHTS, weightBytes, CUT)).chunks.at(-1)?.sha256;
  for (const key of [lease, tenant.secret]) expect((await api.get(`/v1/blobs/${last}`, { key })).code).toBe("not-found");
  expect((await api.get(`/v1/blobs/${await sha256Hex(own.slice(0, CUT))}`, { key: tenant.secret })).status).toBe(200);
});

test("the composed file is inspected: what the tenant's bytes make of it is refused as in any file", async () => {
  const tenant = await granted();
  // The base's graph with a tensor of the tenant's own, and weights of the tenant's own that are too short for it.
  const short = filled(10, 1);
  const files = [await cutFile(WEIGHTS, short, CUT)];
  const own = filled(2500, 3);
  expect((await publish(tenant, { files, tensors: [await tensorOf("inside", own)] }, [short, own])).code).toBe("model-external-range");
});

test.each<[string, () => Promise<object>, RegExp]>([
  ["of another size", async () => ({ tensors: [await tensorOf("inside", filled(2499, 1))] }), /has 2500 bytes, not 2499/],
  ["that is not there", async () => ({ tensors: [await tensorOf("nothing", filled(1, 1))] }), /has no initializer/],
  ["of a file that is not there", async () => ({ tensors: [await tensorOf("inside", filled(2500, 1), "onnx/other.onnx")] }), /no file onnx\/other\.onnx/],
  ["of a file that is no model", async () => ({ tensors: [await tensorOf("inside", filled(2500, 1), "labels.json")] }), /can't be read/],
  ["that does not stand byte for byte", async () => ({ tensors: [await tensorOf("numbers", filled(1, 1))] }), /byte for byte/],
  ["in a file of the tenant's own", async () => ({ files: [await cutFile(GRAPH, graphBytes, CUT)], tensors: [await tensorOf("inside", filled(2500, 1))] }), /your own file/],
  ["in weights of the tenant's own", async () => ({ files: [await cutFile(WEIGHTS, weightBytes, CUT)], tensors: [await tensorOf("outside", filled(1500, 1))] }), /your own file/],
  ["beside one over the same bytes", async () => ({ tensors: [await tensorOf("outside", filled(1500, 1)), await tensorOf("tied", filled(1500, 2))] }), /over each other/],
  ["with a chunk that has another size in the base", async () => ({ tensors: [{ ...(await tensorOf("inside", filled(2500, 1))), chunks: [{ sha256: await sha256Hex(weightBytes.slice(0, CUT)), size: 2500 }] }] }), /two sizes/],
  ["twice", async () => ({ tensors: [await tensorOf("inside", filled(2500, 1)), await tensorOf("inside", filled(2500, 2))] }), /each tensor once/],
  ["and no file either", async () => ({}), /at least/],
])("a tensor %s is refused", async (_, body, why) => {
  const answer = await derive(await granted(), await body());
  expect([answer.status, answer.code, why.test(JSON.stringify(answer.json))]).toEqual([400, "invalid-request", true]);
});

test("what stays beside a tensor counts against the tenant's storage", async () => {
  const tenant = await provisionTenant();
  expectStatus(await grant(tenant, "tuned"), 200);
  expectStatus(await api.patch(`/v1/tenants/${tenant.id}`, { key: OPERATOR_KEY, body: { policy: { storage_bytes: (await manifestBytes(tenant)) + 100 } } }), 200);
  expect((await derive(tenant, { tensors: [await tensorOf("outside", filled(1500, 1))] })).code).toBe("storage-quota-exceeded");
});
