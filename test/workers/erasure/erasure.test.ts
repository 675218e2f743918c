/** Erasing a tenant: nothing of it is left anywhere, whatever interrupts it, and a signed certificate says what was. */
import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { createLocalJWKSet, jwtVerify } from "jose";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { Erasure, ErasureCertificate } from "../../../schema/contract/erasure.ts";
import type { TenantId } from "../../../schema/contract/ids.ts";
import { GENESIS } from "../../../worker/ledger/audit-chain.ts";
import { lagBoard } from "../../../worker/metrics/lag-board.ts";
import { asVerified } from "../../../worker/tenants/credential.ts";
import { objectAt } from "../../../worker/tenants/reach.ts";
import { TenantRecords } from "../../../worker/tenants/records.ts";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { type Fault, d1 } from "../../support/d1-tap.ts";
import { r2 } from "../../support/r2-tap.ts";
import { ORIGIN, type TestTenant, askLease, getLease, newTenantId, provisionTenant, publishTinyModel, report, sha256Hex } from "../../support/tenant.ts";

const time = clock();
// An alarm that is due an hour from now goes off when it is told to, and not by itself beside what a test counts.
beforeEach(() => time.advance(3_600_000));
const operator = { key: OPERATOR_KEY };
const erase = (tenant: { id: string }) => api.delete(`/v1/tenants/${tenant.id}`, operator);
const progress = async (tenant: { id: string }) => expectStatus(await api.get(`/v1/tenants/${tenant.id}/erasure`, operator), 200).json as Erasure;

interface Stores {
  readonly db: D1Database;
  readonly bucket: R2Bucket;
  readonly home: "anywhere" | "eu";
}
const SHARED: Stores = { db: env.DB, bucket: env.BLOBS, home: "anywhere" };

/** A tenant that has something of everything, all of it in D1. */
async function livedIn(more: object = {}): Promise<TestTenant & { lease: string }> {
  const tenant = await provisionTenant(more);
  await publishTinyModel(tenant);
  expectStatus(await api.put(`/v1/tenants/${tenant.id}/secrets/openai-key`, { key: tenant.admin, body: { value: "sk-1" } }), 201);
  const used = await getLease(tenant, { user: "anna" });
  expectStatus(await report(used, { input_tokens: 3 }), 200);
  const active = await getLease(tenant, { user: "bert" });
  expectStatus(await api.get(`/v1/tenants/${tenant.id}/audit`, { key: tenant.reader }), 200);
  return { ...tenant, lease: active.lease };
}

async function rowsLeft(db: D1Database, tenant: string): Promise<Record<string, number>> {
  const { results } = await db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%tenant_id%' AND name <> 'erased_tenants'").all<{ name: string }>();
  const left: Record<string, number> = {};
  for (const { name } of results) left[name] = (await db.prepare(`SELECT count(*) AS n FROM "${name}" WHERE tenant_id = ?`).bind(tenant).first<number>("n")) ?? 0;
  return left;
}

const keysLeft = async (bucket: R2Bucket, tenant: string) => (await bucket.list({ prefix: `tenants/${tenant}/` })).objects.map((object) => object.key);

const tablesLeft = (tenant: string, home: Stores["home"]) =>
  runInDurableObject(objectAt(env, tenant as TenantId, home), (_, state) =>
    state.storage.sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'").toArray().map(({ name }) => name),
  );

/** Runs the alarm until the erasure is over. */
async function finish(tenant: { id: string }, home: Stores["home"] = "anywhere"): Promise<Erasure> {
  for (let tries = 0; tries < 20; tries++) {
    const state = await progress(tenant);
    if (state.state === "done") return state;
    await runDurableObjectAlarm(objectAt(env, tenant.id as TenantId, home));
  }
  throw new Error("the erasure did not come to its end");
}

async function certified(state: Erasure): Promise<ErasureCertificate> {
  const { json } = await api.get("/.well-known/jwks.json");
  const { payload, protectedHeader } = await jwtVerify(state.certificate as string, createLocalJWKSet(json), { issuer: "https://leasehold.test", algorithms: ["EdDSA"], typ: "erasure+jwt" });
  expect(json.keys.map((key: { kid: string }) => key.kid)).toContain(protectedHeader.kid);
  return payload as unknown as ErasureCertificate;
}

async function expectNothingLeft(tenant: TestTenant & { lease: string }, { db, bucket, home }: Stores = SHARED): Promise<void> {
  expect(Object.entries(await rowsLeft(db, tenant.id)).filter(([, n]) => n > 0)).toEqual([]);
  expect(await keysLeft(bucket, tenant.id)).toEqual([]);
  expect(await tablesLeft(tenant.id, home)).toEqual(["erasure"]);
  expect((await api.get(`/v1/tenants/${tenant.id}`, operator)).code).toBe("not-found");
  expect((await api.get("/v1/tenants?limit=200", operator)).json.data.some((item: { id: string }) => item.id === tenant.id)).toBe(false);
  for (const key of [tenant.admin, tenant.secret, tenant.reader]) expect((await api.get("/v1/models", { key })).code).toBe("unauthorized");
  expect((await api.get("/v1/models", { key: tenant.publishable, origin: ORIGIN })).code).toBe("unauthorized");
  expect((await api.get("/v1/models", { key: tenant.lease })).code).toBe("unauthorized");
  const again = await api.post("/v1/tenants", { ...operator, body: { id: tenant.id, name: "Again" } });
  expect([again.status, again.code]).toEqual([409, "conflict"]);
}

test("from DELETE on every credential is unknown; in the end nothing is left, and the certificate says what was", async () => {
  const tenant = await livedIn();
  const neighbour = await livedIn({ id: `${tenant.id}-2` });
  const blobs = await env.BLOBS.list({ prefix: `tenants/${tenant.id}/` });
  let digest = GENESIS;
  for (const { key, size, etag } of blobs.objects) digest = await sha256Hex(`${digest}\n${key}\n${size}\n${etag}`);
  const rows = await rowsLeft(env.DB, tenant.id);
  const head = await env.DB.prepare("SELECT max(seq) AS seq FROM audit_events WHERE tenant_id = ?").bind(tenant.id).first<number>("seq");

  await lagBoard(env).isBehind({ tenant: tenant.id as TenantId, events: 1, since: Date.now() });

  const begun = await api.delete(`/v1/tenants/${tenant.id}`, { ...operator, headers: { "x-request-id": "erase-1" } });
  expect([begun.status, begun.json.state, begun.json.certificate]).toEqual([202, "running", null]);
  expect(begun.headers.get("location")).toBe(`/v1/tenants/${tenant.id}/erasure`);
  for (const key of [tenant.admin, tenant.lease]) expect((await api.get("/v1/models", { key })).code).toBe("unauthorized");
  expect((await askLease(tenant)).code).toBe("unauthorized");
  expect((await api.get(`/v1/tenants/${tenant.id}`, operator)).code).toBe("not-found");

  const state = await finish(tenant);
  await expectNothingLeft(tenant);
  expect((await lagBoard(env).worst()).map((behind) => behind.tenant)).not.toContain(tenant.id);
  const certificate = await certified(state);
  expect(certificate).toMatchObject({
    sub: tenant.id,
    request_id: "erase-1",
    started_at: begun.json.started_at,
    erased: {
      object: { audit_head: { seq: (head as number) + 1, hash: expect.stringMatching(/^[0-9a-f]{64}$/) } },
      records: rows,
      objects: { count: blobs.objects.length, bytes: blobs.objects.reduce((sum, object) => sum + object.size, 0), digest },
      secrets: 1,
      keys: 4,
    },
    remaining: { records: 0, objects: 0 },
  });
  expect(certificate.erased.object.tables).toMatchObject({ leases: 2, keys: 4, secrets: 1, models: 1, config: 1 });
  expect(state.erased).toEqual(certificate.erased);

  // The same question later, and the DELETE again: the same answer.
  expect(await progress(tenant)).toEqual(state);
  const repeated = await erase(tenant);
  expect([repeated.status, repeated.json]).toEqual([200, state]);
  await evictDurableObject(objectAt(env, tenant.id as TenantId, "anywhere"));
  expect(await progress(tenant)).toEqual(state);
  expect(await (await env.BLOBS.get(`erasures/${tenant.id}/certificate.jws`))?.text()).toBe(state.certificate);

  // A tenant whose id begins with this one's has lost nothing.
  expect((await keysLeft(env.BLOBS, neighbour.id)).length).toBe(blobs.objects.length);
  expect((await api.get("/v1/models/tiny/manifest", { key: neighbour.lease })).status).toBe(200);
  expect(await rowsLeft(env.DB, neighbour.id)).toMatchObject(rows);
});

test("a tenant with stores of its own is erased from those", async () => {
  const tenant = await livedIn({ id: "full-a", isolation_level: "full" });
  expect((await keysLeft(env.BLOBS_FULL_A, tenant.id)).length).toBeGreaterThan(0);
  await erase(tenant);
  await certified(await finish(tenant));
  await expectNothingLeft(tenant, { db: env.DB_FULL_A, bucket: env.BLOBS_FULL_A, home: "anywhere" });
  expect((await env.BLOBS_FULL_A.list()).objects).toEqual([]);
});

test("a tenant in the eu is erased there; its id stays taken everywhere", async () => {
  const tenant = await livedIn({ region: "eu" });
  await erase(tenant);
  await certified(await finish(tenant, "eu"));
  await expectNothingLeft(tenant, { ...SHARED, home: "eu" });
  expect(await tablesLeft(tenant.id, "anywhere")).toEqual(["signpost"]);
  const again = await api.post("/v1/tenants", { ...operator, body: { id: tenant.id, name: "Again", region: "eu" } });
  expect(again.code).toBe("conflict");
});

test("only the operator erases, and only what is there", async () => {
  const tenant = await provisionTenant();
  for (const key of [tenant.admin, tenant.reader]) expect((await api.delete(`/v1/tenants/${tenant.id}`, { key })).code).toBe("forbidden");
  expect((await api.get(`/v1/tenants/${tenant.id}/erasure`, operator)).code).toBe("not-found");
  expect((await erase({ id: newTenantId("none") })).code).toBe("not-found");
  expect((await api.get(`/v1/tenants/${tenant.id}`, operator)).status).toBe(200);
});

test("more objects than one page of a listing, and more rows than one chunk", async () => {
  const tenant = await livedIn();
  await Promise.all(Array.from({ length: 1_100 }, (_, n) => env.BLOBS.put(`tenants/${tenant.id}/collections/${n}`, "x")));
  await env.DB.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
     INSERT INTO audit_events (tenant_id, seq, at, action, actor, details, prev_hash, hash) SELECT ?, i, 0, 'x', 'x', '{}', '', '' FROM n`,
  ).bind(tenant.id).run();
  await erase(tenant);
  const { erased } = await certified(await finish(tenant));
  expect(erased.objects.count).toBeGreaterThan(1_100);
  expect(erased.records.audit_events).toBeGreaterThan(11_000);
  await expectNothingLeft(tenant);
});

describe("what comes late", () => {
  test("an upload that lands after the end is swept up by the tombstone's alarm, once", async () => {
    const tenant = await livedIn();
    await erase(tenant);
    await finish(tenant);
    await env.BLOBS.put(`tenants/${tenant.id}/blobs/${"0".repeat(64)}`, "late");
    const sweep = () => runDurableObjectAlarm(objectAt(env, tenant.id as TenantId, "anywhere"));
    await sweep(); // whatever woke it: not yet
    expect(await keysLeft(env.BLOBS, tenant.id)).toHaveLength(1);
    time.set(Date.now() + 11 * 60_000);
    await sweep();
    expect(await keysLeft(env.BLOBS, tenant.id)).toEqual([]);
    expect(await sweep()).toBe(false);
  });

  test("the late sweep outlives an R2 that fails for longer than the platform would try, and an object without an alarm", async () => {
    onTestFinished(() => heal());
    const tenant = await livedIn();
    await erase(tenant);
    const done = await finish(tenant);
    await env.BLOBS.put(`tenants/${tenant.id}/blobs/${"0".repeat(64)}`, "late");
    const stub = objectAt(env, tenant.id as TenantId, "anywhere");
    const nextAlarm = () => runInDurableObject(stub, (_, state) => state.storage.getAlarm());
    time.set(Date.now() + 11 * 60_000);
    r2.fail(() => "refuse");
    for (let failures = 1; failures <= 8; failures++) {
      expect(await runDurableObjectAlarm(stub)).toBe(true);
      const pause = ((await nextAlarm()) as number) - Date.now();
      expect(pause).toBe([1_000, 5_000, 30_000][failures - 1] ?? 300_000);
      time.advance(pause);
    }
    heal();
    expect(await progress(tenant)).toEqual({ ...done, failures: 8 });
    // Its alarm is lost: whoever wakes the object sets it again.
    await runInDurableObject(stub, (_, state) => state.storage.deleteAlarm());
    await evictDurableObject(stub);
    await progress(tenant);
    expect(await nextAlarm()).not.toBeNull();
    await runDurableObjectAlarm(stub);
    expect(await keysLeft(env.BLOBS, tenant.id)).toEqual([]);
    expect(await runDurableObjectAlarm(stub)).toBe(false);
    expect(await progress(tenant)).toEqual(done);
  });

  test("a batch of records that D1 executes after the end writes nothing", async () => {
    const tenant = await livedIn();
    const batch = await runInDurableObject(objectAt(env, tenant.id as TenantId, "anywhere"), async (_, state) => {
      const event = { seq: 99, at: 1, action: "X", actor: "x", user: null, model: null, requestId: null, details: {}, prevHash: "", hash: "" };
      const cost = { day: "2026-11-22", leaseId: "l", model: "m", revision: "r", inputTokens: 1, outputTokens: 1, unreportedTokens: 0, calls: 1, costNanos: 1, outcome: "ok" };
      const record = { event, cost, profile: { id: state.id.name } };
      return [{ record, text: JSON.stringify(record) }];
    });
    const day = { day: "2026-11-22", model: "m", user_id: "", input_tokens: 1, output_tokens: 1, unreported_tokens: 0, calls: 1, cost_nanos: 1, version: 99 };
    const records = TenantRecords.for(asVerified({ tenant: tenant.id as TenantId, isolation: "pooled", actor: "system", kind: "operator", keyId: null, leaseId: null }), env);
    const project = () => records.project(batch as unknown as Parameters<typeof records.project>[0], [day]);
    await project();
    expect(await rowsLeft(env.DB, tenant.id)).toMatchObject({ cost_records: 2, usage_daily: 2 });
    await erase(tenant);
    await finish(tenant);
    await project();
    await expectNothingLeft(tenant);
  });

  test("an object that lost its tombstone: the archive answers, and still keeps the id", async () => {
    const tenant = await livedIn();
    await erase(tenant);
    const state = await finish(tenant);
    await runInDurableObject(objectAt(env, tenant.id as TenantId, "anywhere"), (_, ctx) => ctx.storage.deleteAll());
    await evictDurableObject(objectAt(env, tenant.id as TenantId, "anywhere"));
    expect(await progress(tenant)).toMatchObject({ state: "done", certificate: state.certificate, erased: state.erased });
    expect((await api.post("/v1/tenants", { ...operator, body: { id: tenant.id, name: "Again" } })).code).toBe("conflict");
  });
});

/** Calls of a whole erasure to each store: found by counting one. */
async function countCalls(): Promise<{ d1: number; r2: number }> {
  const tenant = await livedIn();
  expectStatus(await erase(tenant), 202);
  const counted = { d1: 0, r2: 0 };
  d1.fail((call) => ((counted.d1 = call + 1), null));
  r2.fail((call) => ((counted.r2 = call + 1), null));
  await runDurableObjectAlarm(objectAt(env, tenant.id as TenantId, "anywhere"));
  heal();
  return counted;
}

/** `gone`: the objects whose calls hang are no more. */
function heal(gone = false): void {
  for (const tap of [d1, r2]) {
    tap.heal();
    if (gone) tap.forget();
    else tap.release();
  }
}

describe("interrupted at every call to D1 and R2, in every way", () => {
  const WAYS: Record<string, { fault: Exclude<Fault, null>; abort: boolean }> = {
    "the call is refused": { fault: "refuse", abort: false },
    "the call is done and its answer lost": { fault: "lose", abort: false },
    "the object is gone before the call is done": { fault: "hang", abort: true },
    "the object is gone after the call is done": { fault: "late", abort: true },
  };

  test.each(Object.entries(WAYS))("%s", { timeout: 120_000 }, async (_, { fault, abort }) => {
    onTestFinished(() => heal(abort));
    const calls = await countCalls();
    expect(calls.d1).toBeGreaterThanOrEqual(8);
    expect(calls.r2).toBeGreaterThanOrEqual(5);
    for (const [name, tap, total] of [["D1", d1, calls.d1], ["R2", r2, calls.r2]] as const) {
      for (let at = 0; at < total; at++) {
        const tenant = await livedIn();
        const rows = await rowsLeft(env.DB, tenant.id);
        const objects = (await keysLeft(env.BLOBS, tenant.id)).length;
        expectStatus(await erase(tenant), 202);
        tap.fail((call) => (call === at ? fault : null));
        const running = runDurableObjectAlarm(objectAt(env, tenant.id as TenantId, "anywhere"));
        if (abort) {
          const ended = running.catch(() => "aborted");
          await vi.waitFor(() => expect(tap.hanging).toBe(1), { timeout: 5_000, interval: 5 });
          await abortAllDurableObjects();
          heal(true);
          await ended;
        } else {
          await running;
          expect((await progress(tenant)).state, `${name} call ${at}`).toBe("running");
          heal();
        }
        const state = await finish(tenant);
        await expectNothingLeft(tenant);
        const { erased } = await certified(state);
        expect([erased.records, erased.objects.count], `${name} call ${at}`).toEqual([rows, objects]);
      }
    }
  });
});
