/** Secrets over HTTP and inside the object: a value goes in and never comes out; a moved row does not open. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import type { TenantId } from "../../../schema/contract/ids.ts";
import type { SecretName } from "../../../schema/contract/secrets.ts";
import { settingsOf } from "../../../worker/env.ts";
import { MasterKeyMissing, SecretVault } from "../../../worker/ledger/secret-vault.ts";
import { Store } from "../../../worker/ledger/store.ts";
import { SealBroken, masterKeyOf } from "../../../worker/secrets/envelope.ts";
import { authorityOf } from "../../../worker/tenants/authority.ts";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { tapEnv } from "../../support/d1-tap.ts";
import { clock } from "../../support/clock.ts";
import { type TestTenant, objectOf, provisionTenant } from "../../support/tenant.ts";

/** Its middle comes in no id by chance. */
const VALUE = "sk-live-wxyzqvwk-ü-do-not-show";
const time = clock();
const at = (tenant: TestTenant, name = "") => `/v1/tenants/${tenant.id}/secrets${name && `/${name}`}`;
const put = (tenant: TestTenant, name: string, value: unknown = VALUE) => api.put(at(tenant, name), { key: tenant.admin, body: { value } });

const use = (tenant: TestTenant, name: string) =>
  authorityOf(env, tenant.id as TenantId).secrets.use({ presented: { kind: "operator" }, access: ["operator"], requestId: "req_use" } as never, name as SecretName);

const inObject = <T>(tenant: TestTenant, work: (sql: SqlStorage, storage: DurableObjectStorage) => T) =>
  runInDurableObject(objectOf(tenant.id), (_, state) => work(state.storage.sql, state.storage));

test("put, list, use, replace, delete", async () => {
  const tenant = await provisionTenant();
  const start = Math.floor(Date.now() / 60_000) * 60_000;
  time.set(start);
  const first = await put(tenant, "openai-key");
  expect([first.status, first.json]).toEqual([201, { name: "openai-key", version: 1, created_at: stamp(start), updated_at: stamp(start), last_used_at: null }]);
  expect(await use(tenant, "openai-key")).toEqual({ ok: true, value: VALUE });
  time.set(start + 59_000);
  await use(tenant, "openai-key");
  expect((await api.get(at(tenant), { key: tenant.admin })).json.data[0].last_used_at).toBe(stamp(start));
  time.set(start + 60_000);
  await use(tenant, "openai-key");
  expect((await api.get(at(tenant), { key: tenant.admin })).json.data[0].last_used_at).toBe(stamp(start + 60_000));

  const second = await put(tenant, "openai-key", "sk-2");
  expect([second.status, second.json]).toEqual([200, { name: "openai-key", version: 2, created_at: stamp(start), updated_at: stamp(start + 60_000), last_used_at: null }]);
  expect(await use(tenant, "openai-key")).toEqual({ ok: true, value: "sk-2" });

  expect((await api.delete(at(tenant, "openai-key"), { key: tenant.admin })).status).toBe(200);
  expect((await api.delete(at(tenant, "openai-key"), { key: tenant.admin })).code).toBe("not-found");
  expect(await use(tenant, "openai-key")).toMatchObject({ ok: false, refusal: { code: "not-found" } });
  expect((await api.get(at(tenant), { key: tenant.admin })).json).toEqual({ data: [], next_cursor: null });
  // Versions go on: no two values were ever sealed in one place.
  expect((await put(tenant, "openai-key", "sk-3")).json).toMatchObject({ version: 3, created_at: stamp(start + 60_000) });
});

test("no answer, no row and no audit event holds the value", async () => {
  const tenant = await provisionTenant();
  const texts = [
    (await put(tenant, "huggingface-token")).text,
    (await put(tenant, "huggingface-token")).text,
    (await api.get(at(tenant), { key: tenant.admin })).text,
    (await api.get(`/v1/tenants/${tenant.id}`, { key: tenant.admin })).text,
    (await api.get(`/v1/tenants/${tenant.id}/audit?limit=200`, { key: tenant.admin })).text,
    (await api.delete(at(tenant, "huggingface-token"), { key: tenant.admin })).text,
    await inObject(tenant, (sql) => JSON.stringify(sql.exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'").toArray().map(({ name }) => sql.exec(`SELECT * FROM "${name}"`).toArray()))),
    JSON.stringify((await env.DB.prepare("SELECT * FROM audit_events WHERE tenant_id = ?").bind(tenant.id).all()).results),
  ];
  expect(texts[4]).toContain("SECRET_PUT");
  for (const text of texts) {
    expect(text).not.toContain("wxyzqvwk");
    expect(text).not.toContain(btoa("sk-live-wxyzqvwk").slice(0, 20));
  }
});

test("what is refused", async () => {
  const tenant = await provisionTenant();
  for (const value of ["", 5, null, ["x"], "x".repeat(8193), "\ud800"]) expect((await put(tenant, "k", value)).code, String(value)?.slice(0, 20)).toBe("invalid-request");
  for (const name of ["K", "a_b", "-a", "a-", "a".repeat(65), "%20", "a%2fb"]) expect((await put(tenant, name)).code, name).toBe("invalid-request");
  expect((await put(tenant, "k", "x".repeat(8192))).status).toBe(201);
  expect((await api.put(at(tenant, "k"), { key: tenant.admin, body: { value: "x", extra: 1 } })).code).toBe("invalid-request");
});

test("a tenant has at most 100 secrets; listed in pages, by name", async () => {
  const tenant = await provisionTenant();
  await inObject(tenant, (sql) => {
    for (let n = 0; n < 99; n++) sql.exec("INSERT INTO secrets (name, version, box, created_at, updated_at) VALUES (?, 1, 'x', 0, 0)", `s${String(n).padStart(3, "0")}`);
  });
  expect((await put(tenant, "zz")).status).toBe(201);
  expect((await put(tenant, "zzz")).code).toBe("conflict");
  expect((await put(tenant, "zz", "again")).status).toBe(200);
  const names: string[] = [];
  for (let cursor = ""; ; ) {
    const page = expectStatus(await api.get(`${at(tenant)}?limit=40${cursor && `&cursor=${cursor}`}`, { key: tenant.admin }), 200).json;
    names.push(...page.data.map((secret: { name: string }) => secret.name));
    if (page.next_cursor === null) break;
    cursor = page.next_cursor;
  }
  expect(names).toHaveLength(100);
  expect(names).toEqual([...names].sort());
});

describe("rows that were moved do not open", () => {
  const swaps: [string, (sql: SqlStorage) => void][] = [
    ["two secrets' boxes swapped", (sql) => sql.exec("UPDATE secrets SET box = (SELECT b.box FROM secrets b WHERE b.name = CASE secrets.name WHEN 'a' THEN 'b' ELSE 'a' END)")],
    ["a version turned back", (sql) => sql.exec("UPDATE secrets SET version = 1 WHERE name = 'a'")],
    ["a row renamed", (sql) => sql.exec("UPDATE secrets SET name = CASE name WHEN 'a' THEN 'was-a' ELSE 'a' END")],
    ["a byte changed", (sql) => sql.exec("UPDATE secrets SET box = substr(box, 1, 20) || CASE substr(box, 21, 1) WHEN 'A' THEN 'B' ELSE 'A' END || substr(box, 22) WHERE name = 'a'")],
    ["the data key's row changed", (sql) => sql.exec("UPDATE data_key SET box = substr(box, 1, 20) || CASE substr(box, 21, 1) WHEN 'A' THEN 'B' ELSE 'A' END || substr(box, 22)")],
  ];
  test.each(swaps)("%s", async (_, swap) => {
    const tenant = await provisionTenant();
    await put(tenant, "a", "one");
    await put(tenant, "a", "two");
    await put(tenant, "b", "other");
    await inObject(tenant, (sql) => {
      const vault = vaultOf(tenant, sql);
      expect(vault.open("a", Date.now())).toBe("two");
      swap(sql);
      expect(() => vault.open("a", Date.now())).toThrow(SealBroken);
    });
  });

  test("another tenant's box and data key, put in whole", async () => {
    const [tenant, other] = [await provisionTenant(), await provisionTenant()];
    await put(tenant, "a", "mine");
    await put(other, "a", "theirs");
    const theirs = await inObject(other, (sql) => ({ box: sql.exec("SELECT box FROM secrets").one().box, key: sql.exec("SELECT box FROM data_key").one().box }));
    await inObject(tenant, (sql) => {
      sql.exec("UPDATE secrets SET box = ?", theirs.box as string);
      expect(() => vaultOf(tenant, sql).open("a", 0)).toThrow(SealBroken);
      sql.exec("UPDATE data_key SET box = ?", theirs.key as string);
      expect(() => vaultOf(tenant, sql).open("a", 0)).toThrow(SealBroken);
    });
  });

  test("the API says unavailable and shows nothing of it", async () => {
    const tenant = await provisionTenant();
    await put(tenant, "a", "one");
    await inObject(tenant, (sql) => sql.exec("UPDATE secrets SET version = 9"));
    expect(await use(tenant, "a")).toMatchObject({ ok: false, refusal: { code: "unavailable" } });
  });
});

describe("the master key's rotation", () => {
  const old = settingsOf(env).masterKeys[0];
  const next = masterKeyOf(new Uint8Array(32).fill(9));

  test("during the overlap every secret opens, and opening one moves the tenant to the new key", async () => {
    const tenant = await provisionTenant();
    await put(tenant, "a");
    await inObject(tenant, (sql) => {
      const during = vaultOf(tenant, sql, [next, old]);
      expect(during.open("a", 1)).toBe(VALUE);
      expect(sql.exec("SELECT master_key FROM data_key").one().master_key).toBe(next.id);
      // The previous key may leave now.
      expect(vaultOf(tenant, sql, [next]).open("a", 2)).toBe(VALUE);
      expect(() => vaultOf(tenant, sql, [old]).open("a", 3)).toThrow(MasterKeyMissing);
    });
  });

  test("rewrap says what it did, and does it once", async () => {
    const tenant = await provisionTenant();
    await put(tenant, "a");
    await inObject(tenant, (sql) => {
      expect(vaultOf(tenant, sql, [next, old]).rewrap(1)).toBe(true);
      expect(vaultOf(tenant, sql, [next, old]).rewrap(2)).toBe(false);
      expect(vaultOf(tenant, sql, [old, next]).rewrap(3)).toBe(true);
    });
    const answer = await api.post(`${at(tenant)}/rewrap`, { key: OPERATOR_KEY, body: {} });
    expect([answer.status, answer.json]).toEqual([200, { master_key: old.id, rewrapped: false }]);
    const none = await provisionTenant();
    expect((await api.post(`${at(none)}/rewrap`, { key: OPERATOR_KEY })).json).toEqual({ master_key: old.id, rewrapped: false });
  });

  test("a data key under a key that is not configured: unavailable, and it says which is missing", async () => {
    const tenant = await provisionTenant();
    await put(tenant, "a");
    await inObject(tenant, (sql) => vaultOf(tenant, sql, [next, old]).rewrap(1));
    const answer = await put(tenant, "a");
    expect([answer.status, answer.code]).toEqual([503, "unavailable"]);
    expect(answer.json.detail).toContain(next.id);
    expect((await api.get(at(tenant), { key: tenant.admin })).json.data).toHaveLength(1);
  });

  test("a key made with an Idempotency-Key before the rotation is shown again after it", async () => {
    const tenant = await provisionTenant();
    const body = { type: "secret", name: "k" };
    const first = await api.post(`/v1/tenants/${tenant.id}/keys`, { key: tenant.admin, body, idempotencyKey: "k-1" });
    const settings = settingsOf(tapEnv(env)) as { masterKeys: unknown };
    const before = settings.masterKeys;
    try {
      settings.masterKeys = [next, old];
      const again = await api.post(`/v1/tenants/${tenant.id}/keys`, { key: tenant.admin, body, idempotencyKey: "k-1" });
      expect(again.json.key).toBe(first.json.key);
    } finally {
      settings.masterKeys = before;
    }
  });
});

const vaultOf = (tenant: TestTenant, sql: SqlStorage, masterKeys = settingsOf(env).masterKeys as readonly ReturnType<typeof masterKeyOf>[]) =>
  new SecretVault(tenant.id as TenantId, new Store({ sql } as DurableObjectStorage), masterKeys);

function stamp(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
