/**
 * Idempotency-Key on every POST of the access table: the same key and request give the same answer and do nothing anew,
 * also at once; the same key with another request is refused; what is kept for the repeat holds no secret.
 * A new POST needs its row here. Signing in has none: it creates nothing that is kept, and a repeat is another session.
 */
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, test } from "vitest";
import { ACCESS, SIGN_IN } from "../../../worker/http/access.ts";
import { type Answer, OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { grantedBase, publishInCatalog } from "../../support/catalog.ts";
import { tinyOnnx } from "../../support/onnx.ts";
import { receiver } from "../../support/receiver.ts";
import { type TestTenant, getLease, makeKey, newTenantId, objectOf, provisionTenant, publishTinyModel } from "../../support/tenant.ts";

type Post = Exclude<Extract<keyof typeof ACCESS, `POST ${string}`>, typeof SIGN_IN>;

interface Sent {
  readonly path: string;
  readonly key: string;
  readonly body: Record<string, unknown>;
  /** Another request of the same tenant. */
  readonly other: { readonly path?: string; readonly body?: Record<string, unknown> };
}

let tenant: TestTenant;
let revision: string;
const at = () => `/v1/tenants/${tenant.id}`;
const file = (fill: string) => ({ path: "m.onnx", size: 4, sha256: fill.repeat(64), chunks: [{ sha256: fill.repeat(64), size: 4 }] });
const revisionOf = (fill: string) => ({ task: "raw", usage: { measure: "per-run", tokens: 1 }, variants: [{ id: "all", files: [file(fill)] }], prices: { input_nanos_per_token: 1, output_nanos_per_token: 2 } });
const derivationOf = (base: object, fill: string) => ({ base, files: [file(fill)], prices: { input_nanos_per_token: 1, output_nanos_per_token: 2 } });
const usage = { seq: 1, request_id: "req_1", input_tokens: 1, output_tokens: 1, outcome: "ok", latency_ms: 1, backend: "wasm", cache: "hit", final: false };
const IMPORT = { source: "hf:org/model", variants: ["q4"] };
const HOOK = { url: "https://hooks.example.com/", events: ["key.created"] };

/** One more delivery of one more webhook. */
async function delivery(): Promise<string> {
  const hook = expectStatus(await api.post(`${at()}/webhooks`, { key: tenant.admin, body: HOOK }), 201).json.id;
  await makeKey(tenant.id, { type: "secret", name: "delivered" });
  const [first] = expectStatus(await api.get(`${at()}/webhooks/${hook}/deliveries`, { key: tenant.admin }), 200).json.data;
  return `${at()}/webhooks/${hook}/deliveries/${first.id}/replay`;
}

const POSTS: Record<Post, () => Promise<Sent> | Sent> = {
  "POST /v1/tenants": () => {
    const id = newTenantId("once");
    return { path: "/v1/tenants", key: OPERATOR_KEY, body: { id, name: "Once" }, other: { body: { id, name: "Twice" } } };
  },
  "POST /v1/tenants/{t}/keys": () => ({ path: `${at()}/keys`, key: tenant.admin, body: { type: "secret", name: "a" }, other: { body: { type: "secret", name: "b" } } }),
  "POST /v1/tenants/{t}/keys/{id}/rotate": async () => {
    const { id } = await makeKey(tenant.id, { type: "secret", name: "old" });
    return { path: `${at()}/keys/${id}/rotate`, key: tenant.admin, body: { overlap_s: 60 }, other: { body: { overlap_s: 61 } } };
  },
  "POST /v1/tenants/{t}/secrets/rewrap": () => ({ path: `${at()}/secrets/rewrap`, key: OPERATOR_KEY, body: {}, other: { path: `${at()}/keys`, body: { type: "secret", name: "x" } } }),
  "POST /v1/tenants/{t}/user-identity/rotate": () => ({ path: `${at()}/user-identity/rotate`, key: tenant.admin, body: { overlap_s: 60 }, other: { body: { overlap_s: 61 } } }),
  "POST /v1/tenants/{t}/webhooks": () => ({ path: `${at()}/webhooks`, key: tenant.admin, body: HOOK, other: { body: { ...HOOK, events: ["key.revoked"] } } }),
  "POST /v1/tenants/{t}/webhooks/{id}/deliveries/{delivery}/replay": async () => ({ path: await delivery(), key: tenant.admin, body: {}, other: { path: await delivery() } }),
  "POST /v1/tenants/{t}/models/{model}/revisions": () => ({ path: `${at()}/models/new/revisions`, key: tenant.admin, body: revisionOf("a"), other: { body: revisionOf("b") } }),
  "POST /v1/tenants/{t}/models/{model}/revisions/{revision}/commit": () => ({ path: `${at()}/models/tiny/revisions/${revision}/commit`, key: tenant.admin, body: {}, other: { path: `${at()}/models/tiny2/revisions/${revision}/commit` } }),
  "POST /v1/tenants/{t}/models/{model}/rollout": async () => {
    const draft = await publishTinyModel(tenant, { fill: 8, stage: "draft" });
    const canary = { revision: draft.revision, stage: "canary", percent: 5 };
    return { path: `${at()}/models/tiny/rollout`, key: tenant.admin, body: canary, other: { body: { ...canary, percent: 6 } } };
  },
  "POST /v1/tenants/{t}/models/{model}/rollback": async () => {
    for (const fill of [7, 8, 9]) await publishTinyModel(tenant, { model: "back", fill });
    return { path: `${at()}/models/back/rollback`, key: tenant.admin, body: {}, other: { body: { from: revision } } };
  },
  "POST /v1/tenants/{t}/models/{model}/derive": async () => {
    const base = await grantedBase(tenant);
    return { path: `${at()}/models/derived/derive`, key: tenant.admin, body: derivationOf(base, "a"), other: { body: derivationOf(base, "b") } };
  },
  "POST /v1/catalog/models/{model}/revisions": () => ({ path: "/v1/catalog/models/once/revisions", key: OPERATOR_KEY, body: revisionOf("a"), other: { body: revisionOf("b") } }),
  "POST /v1/catalog/models/{model}/revisions/{revision}/commit": async () => {
    const base = await publishInCatalog("once");
    return { path: `/v1/catalog/models/once/revisions/${base.revision}/commit`, key: OPERATOR_KEY, body: {}, other: { path: `/v1/catalog/models/twice/revisions/${base.revision}/commit` } };
  },
  "POST /v1/catalog/models/{model}/rollback": async () => {
    for (const fill of [7, 8, 9]) await publishInCatalog("back", tinyOnnx(64, fill));
    return { path: "/v1/catalog/models/back/rollback", key: OPERATOR_KEY, body: {}, other: { body: { from: revision } } };
  },
  "POST /v1/catalog/models/{model}/import": () => ({ path: "/v1/catalog/models/new/import", key: OPERATOR_KEY, body: IMPORT, other: { body: { ...IMPORT, revision: "next" } } }),
  "POST /v1/catalog/secrets/rewrap": () => ({ path: "/v1/catalog/secrets/rewrap", key: OPERATOR_KEY, body: {}, other: { path: "/v1/catalog/models/new/import", body: IMPORT } }),
  "POST /v1/tenants/{t}/models/{model}/import": () => ({ path: `${at()}/models/new/import`, key: tenant.admin, body: IMPORT, other: { body: { ...IMPORT, revision: "next" } } }),
  "POST /v1/tenants/{t}/models/{model}/prices": () => ({ path: `${at()}/models/tiny/prices`, key: tenant.admin, body: { input_nanos_per_token: 5, output_nanos_per_token: 5 }, other: { body: { input_nanos_per_token: 6, output_nanos_per_token: 5 } } }),
  "POST /v1/leases": () => ({ path: "/v1/leases", key: tenant.secret, body: { model: "tiny", tokens: 1 }, other: { body: { model: "tiny", tokens: 2 } } }),
  "POST /v1/leases/{id}/usage": async () => {
    const lease = await getLease(tenant);
    return { path: `/v1/leases/${lease.lease_id}/usage`, key: lease.lease, body: usage, other: { body: { ...usage, seq: 2 } } };
  },
};

beforeAll(async () => {
  tenant = await provisionTenant();
  revision = (await publishTinyModel(tenant)).revision;
});

const posts = Object.keys(ACCESS).filter((way): way is Post => way.startsWith("POST ") && way !== SIGN_IN);
const audited = async (id: string) => (await api.get(`/v1/tenants/${id}/audit?limit=200`, { key: OPERATOR_KEY })).json.data.length;

describe.each(posts)("%s", (way) => {
  test("does once what is asked many times with one key", async () => {
    receiver();
    const { path, key, body, other } = await POSTS[way]();
    const about = (body.id as string | undefined) ?? tenant.id;
    const idempotencyKey = `once-${way.length}-${Math.random()}`;
    const ask = (more: { path?: string; body?: object } = {}): Promise<Answer> => api.post(more.path ?? path, { key, body: more.body ?? body, idempotencyKey });
    const answers = await Promise.all([ask(), ask(), ask()]);
    answers.push(await ask());
    const [first] = answers as [Answer, ...Answer[]];
    expect(first.status, first.text).toBeLessThan(300);
    for (const answer of answers) expect([answer.status, answer.text]).toEqual([first.status, first.text]);
    const before = await audited(about);
    const refused = await ask(other);
    expect([refused.status, refused.code]).toEqual([422, "idempotency-key-reused"]);
    await ask();
    expect(await audited(about)).toBe(before);
    await expectNoSecretKept(about, first.json);
  });
});

test("a key that came with one tenant's provisioning makes no other tenant; one that was refused is free for another", async () => {
  const idempotencyKey = `provisions-${Math.random()}`;
  const provision = (body: object) => api.post("/v1/tenants", { key: OPERATOR_KEY, idempotencyKey, body });
  expect(await provision({ id: tenant.id, name: "Taken" })).toMatchObject({ status: 409, code: "conflict" });
  const [one, two] = [newTenantId("one"), newTenantId("two")];
  const both = await Promise.all([provision({ id: one, name: "One" }), provision({ id: one, name: "One" })]);
  expect(both.map(({ status }) => status)).toEqual([201, 201]);
  expect(await provision({ id: two, name: "One" })).toMatchObject({ status: 422, code: "idempotency-key-reused" });
  expect((await api.get(`/v1/tenants/${two}`, { key: OPERATOR_KEY })).status).toBe(404);
});

/** Whatever is kept for repeats: no text of a key, no signed lease, no content key, no secret. */
async function expectNoSecretKept(id: string, shown: Record<string, unknown>): Promise<void> {
  const kept = await runInDurableObject(objectOf(id), (_, { storage }) => JSON.stringify(storage.sql.exec("SELECT answer FROM idempotency").toArray()));
  for (const secret of [shown.key, shown.lease, shown.content_key, shown.secret]) {
    if (typeof secret === "string") expect(kept).not.toContain(secret.slice(8, 30));
  }
  expect(kept).not.toMatch(/eyJ[A-Za-z0-9_-]{10}|lh_(?:sk|pk|us)_[a-z0-9-]+_[A-Za-z0-9]{20}|whsec_/);
}
