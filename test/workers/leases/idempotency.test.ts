/** Idempotency-Key on the grant of a lease. */
import { expect, test } from "vitest";
import { ORIGIN, askLease, makeKey, quotaOf, readyTenant } from "../../support/tenant.ts";

test("50 parallel calls with one key are one lease", async () => {
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  const answers = await Promise.all(Array.from({ length: 50 }, () => askLease(tenant, { tokens: 10 }, { idempotencyKey: "once" })));
  expect(answers.every((answer) => answer.status === 201)).toBe(true);
  expect(new Set(answers.map((answer) => answer.json.lease_id)).size).toBe(1);
  // The signature is deterministic and the times are the grant's: the whole answer is the same.
  expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 10, posted: 0 });
});

test("one key with another body is refused and grants nothing", async () => {
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  await askLease(tenant, { tokens: 10 }, { idempotencyKey: "once" });
  const other = await askLease(tenant, { tokens: 11 }, { idempotencyKey: "once" });
  expect([other.status, other.code]).toEqual([422, "idempotency-key-reused"]);
  expect((await quotaOf(tenant)).daily_token_limit.held).toBe(10);
});

test("the order of a body's members does not matter", async () => {
  const tenant = await readyTenant();
  const first = await askLease(tenant, { tokens: 10, user: "u" }, { idempotencyKey: "k" });
  const again = await askLease(tenant, { user: "u", tokens: 10 }, { idempotencyKey: "k" });
  expect(again.json.lease_id).toBe(first.json.lease_id);
});

test("a refusal is not kept: the same key may try again", async () => {
  const tenant = await readyTenant({ concurrent_leases: 0 });
  const refused = await askLease(tenant, {}, { idempotencyKey: "again" });
  expect(refused.code).toBe("concurrent-leases-exceeded");
  const again = await askLease(tenant, { purpose: "download" }, { idempotencyKey: "again" });
  expect(again.status).toBe(201);
});

test("keys are each tenant's own", async () => {
  const [one, two] = [await readyTenant(), await readyTenant()];
  const first = await askLease(one, {}, { idempotencyKey: "same" });
  const second = await askLease(two, {}, { idempotencyKey: "same" });
  expect(first.json.lease_id).not.toBe(second.json.lease_id);
});

test("keys are each credential's own: a repeat of another's call is judged as a call of its own", async () => {
  const tenant = await readyTenant();
  const { key: strict } = await makeKey(tenant.id, { type: "publishable", name: "strict", origins: [ORIGIN], require_signed_user: true });
  const ask = (key: string, origin?: string) => askLease(tenant, { user: "u1" }, { key, origin, idempotencyKey: "same" });
  const first = await ask(tenant.secret);
  const page = await ask(tenant.publishable, ORIGIN);
  expect([first.status, page.status]).toEqual([201, 201]);
  expect(page.json.lease_id).not.toBe(first.json.lease_id);
  const refused = await ask(strict, ORIGIN);
  expect([refused.status, refused.code]).toEqual([403, "user-not-verified"]);
  expect((await ask(tenant.secret)).text).toBe(first.text);
});

test.each(["", "two words", "ü", "x".repeat(256)])("the key %j is refused", async (idempotencyKey) => {
  const tenant = await readyTenant();
  const refused = await askLease(tenant, {}, { idempotencyKey });
  expect(refused.status).toBe(400);
});
