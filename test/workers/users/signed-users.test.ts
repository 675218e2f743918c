/** Signed users: a visitor can't be somebody else, nor nobody, where the key requires it. */
import { evictDurableObject } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { signUser } from "../../../worker/tenants/user-signature.ts";
import { api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { ORIGIN, type TestTenant, askLease, makeKey, objectOf, readyTenant } from "../../support/tenant.ts";

const time = clock();

async function rotate(tenant: TestTenant, overlap_s?: number, idempotencyKey?: string): Promise<string> {
  const body = overlap_s === undefined ? {} : { overlap_s };
  return expectStatus(await api.post(`/v1/tenants/${tenant.id}/user-identity/rotate`, { key: tenant.admin, body, idempotencyKey }), 201).json.secret;
}
const state = async (tenant: TestTenant) => expectStatus(await api.get(`/v1/tenants/${tenant.id}/user-identity`, { key: tenant.admin }), 200).json;

async function strictTenant() {
  const tenant = await readyTenant({ per_user_daily_tokens: 100 });
  const { id, key } = await makeKey(tenant.id, { type: "publishable", name: "strict", origins: [ORIGIN], require_signed_user: true });
  const ask = (body: object) => askLease(tenant, { tokens: 10, ...body }, { key, origin: ORIGIN });
  return { tenant, key, id, ask };
}

describe("a key that requires signed users", () => {
  test("grants to a signed user, and to nobody else", async () => {
    const { tenant, ask } = await strictTenant();
    const secret = await rotate(tenant);
    expect((await ask({ user: "u1", user_signature: signUser(secret, "u1") })).status).toBe(201);
    for (const body of [{}, { user: "u1" }, { user: "u2", user_signature: signUser(secret, "u1") }, { user: "u1", user_signature: signUser("lh_us_other", "u1") }, { user: "u1", user_signature: "0".repeat(64) }]) {
      const refused = await ask(body);
      expect([refused.status, refused.code], JSON.stringify(body)).toEqual([403, "user-not-verified"]);
    }
  });

  test("before there is a secret it grants to nobody", async () => {
    const { ask } = await strictTenant();
    expect((await ask({ user: "u1", user_signature: signUser("", "u1") })).code).toBe("user-not-verified");
  });

  test("so that a user's limit can't be dodged", async () => {
    const { tenant, ask } = await strictTenant();
    const secret = await rotate(tenant);
    const signed = { user: "u1", user_signature: signUser(secret, "u1") };
    expect((await ask({ ...signed, tokens: 100 })).status).toBe(201);
    expect((await ask({ ...signed, tokens: 1 })).code).toBe("user-quota-exceeded");
    expect((await ask({ ...signed, user: "u2", tokens: 1 })).code).toBe("user-not-verified");
  });

  test("still requires it after a rotation of the key", async () => {
    const { tenant, id } = await strictTenant();
    const { key, require_signed_user } = expectStatus(await api.post(`/v1/tenants/${tenant.id}/keys/${id}/rotate`, { key: tenant.admin, body: {} }), 201).json;
    expect(require_signed_user).toBe(true);
    expect((await askLease(tenant, { user: "u1" }, { key, origin: ORIGIN })).code).toBe("user-not-verified");
  });

  test("can't be a secret key", async () => {
    const tenant = await readyTenant();
    const refused = await api.post(`/v1/tenants/${tenant.id}/keys`, { key: tenant.admin, body: { type: "secret", name: "k", require_signed_user: true } });
    expect(refused.json.errors[0].path).toBe("require_signed_user");
  });
});

test("a key that does not require it takes users as they are named, but refuses a signature that does not fit", async () => {
  const tenant = await readyTenant();
  await rotate(tenant);
  const ask = (body: Record<string, unknown>) => askLease(tenant, body, { key: tenant.publishable, origin: ORIGIN });
  expect((await ask({ user: "u1" })).status).toBe(201);
  expect((await ask({ user: "u1", user_signature: "0".repeat(64) })).code).toBe("user-not-verified");
  expect((await askLease(tenant, { user: "u1" })).status).toBe(201);
});

test.each(["", "x", "0".repeat(63), "0".repeat(65), "0".repeat(64).toUpperCase().replace("0", "A"), `1.${"0".repeat(64)}`, `0123456789.${"0".repeat(64)}`])("a signature spelled %j is refused", async (user_signature) => {
  const tenant = await readyTenant();
  expect((await askLease(tenant, { user: "u1", user_signature })).status).toBe(400);
});

test("a signature without a user is refused", async () => {
  const tenant = await readyTenant();
  expect((await askLease(tenant, { user_signature: "0".repeat(64) })).status).toBe(400);
});

test("a signature that expires holds until then", async () => {
  time.set("2026-11-20T10:00:00Z");
  const { tenant, ask } = await strictTenant();
  const secret = await rotate(tenant);
  const exp = Date.parse("2026-11-20T10:05:00Z") / 1000;
  const signed = { user: "u1", user_signature: signUser(secret, "u1", exp) };
  expect((await ask(signed)).status).toBe(201);
  time.set("2026-11-20T10:05:00Z");
  expect((await ask(signed)).code).toBe("user-not-verified");
});

test("a rotated secret is accepted until the end of its overlap, also by an object that has just woken", async () => {
  time.set("2026-11-20T10:00:00Z");
  const { tenant, ask } = await strictTenant();
  expect(await state(tenant)).toEqual({ created_at: null, previous_until: null });
  const first = await rotate(tenant);
  time.set("2026-11-20T11:00:00Z");
  const second = await rotate(tenant, 600);
  expect(first).not.toBe(second);
  expect(await state(tenant)).toEqual({ created_at: "2026-11-20T11:00:00Z", previous_until: "2026-11-20T11:10:00Z" });
  const by = (secret: string) => ask({ tokens: 1, user: "u1", user_signature: signUser(secret, "u1") });
  expect([(await by(first)).status, (await by(second)).status]).toEqual([201, 201]);
  await evictDurableObject(objectOf(tenant.id));
  expect([(await by(first)).status, (await by(second)).status]).toEqual([201, 201]);
  time.set("2026-11-20T11:10:00Z");
  expect([(await by(first)).status, (await by(second)).status]).toEqual([403, 201]);
  expect((await state(tenant)).previous_until).toBeNull();
  const third = await rotate(tenant, 0);
  expect([(await by(second)).status, (await by(third)).status]).toEqual([403, 201]);
});

test("the secret is shown once; a repeat with its idempotency key shows it again, until it is rotated away", async () => {
  const tenant = await readyTenant();
  const [first, again] = [await rotate(tenant, 0, "k"), await rotate(tenant, 0, "k")];
  expect(again).toBe(first);
  expect(JSON.stringify(await state(tenant))).not.toContain("lh_us_");
  const audit = await api.get(`/v1/tenants/${tenant.id}/audit?action=USER_IDENTITY_ROTATED`, { key: tenant.reader });
  expect(audit.json.data).toHaveLength(1);
  expect(audit.text).not.toContain("lh_us_");
  await rotate(tenant);
  await rotate(tenant);
  const late = await api.post(`/v1/tenants/${tenant.id}/user-identity/rotate`, { key: tenant.admin, body: { overlap_s: 0 }, idempotencyKey: "k" });
  expect([late.status, late.code]).toEqual([409, "conflict"]);
});

test("the audit says whether the user was signed, and never shows the signature", async () => {
  const { tenant, ask } = await strictTenant();
  const signature = signUser(await rotate(tenant), "u1");
  await ask({ user: "u1", user_signature: signature });
  await askLease(tenant, { tokens: 10, user: "u1" });
  const audit = await api.get(`/v1/tenants/${tenant.id}/audit?action=LEASE_GRANTED`, { key: tenant.reader });
  expect(audit.json.data.map((event: { details: { user_signed: boolean } }) => event.details.user_signed)).toEqual([true, false]);
  expect(audit.text).not.toContain(signature);
});
