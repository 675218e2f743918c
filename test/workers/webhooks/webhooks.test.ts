/** Webhooks: made, signed, sent, tried again, logged, replayed, deleted. */
import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { type Receiver, alarm, receiver, settled, verifySigned } from "../../support/receiver.ts";
import { type TestTenant, getLease, makeKey, objectOf, provisionTenant, publishTinyModel, readyTenant } from "../../support/tenant.ts";

const time = clock();
// In the future, so that no alarm fires but those that the tests run.
const START = "2040-11-20T10:00:00Z";
const URL_ = "https://hooks.example.com/leasehold";

async function makeWebhook(tenant: TestTenant, body: object = {}, idempotencyKey?: string) {
  return expectStatus(await api.post(`/v1/tenants/${tenant.id}/webhooks`, { key: tenant.admin, body: { url: URL_, ...body }, idempotencyKey }), 201).json;
}
const list = async (tenant: TestTenant) => (await api.get(`/v1/tenants/${tenant.id}/webhooks`, { key: tenant.admin })).json.data;
const log = async (tenant: TestTenant, id: string) => (await api.get(`/v1/tenants/${tenant.id}/webhooks/${id}/deliveries`, { key: tenant.admin })).json.data;
const actions = async (tenant: TestTenant) => (await api.get(`/v1/tenants/${tenant.id}/audit?limit=200`, { key: tenant.reader })).json.data.map((event: { action: string }) => event.action);

test("a webhook's secret is shown once: not in lists, not in the audit, not in the object's storage", async () => {
  const tenant = await provisionTenant();
  const { secret, ...made } = await makeWebhook(tenant);
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(made).toMatchObject({ id: expect.stringMatching(/^wh_/), url: URL_, disabled_at: null });
  expect(await list(tenant)).toEqual([made]);
  expect(JSON.stringify((await api.get(`/v1/tenants/${tenant.id}/audit?action=WEBHOOK_CREATED`, { key: tenant.reader })).json)).not.toContain(secret.slice(6));
  const rows = await runInDurableObject(objectOf(tenant.id), (_object, state) => {
    const tables = state.storage.sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray();
    return JSON.stringify(tables.map(({ name }) => state.storage.sql.exec(`SELECT * FROM "${name}"`).toArray()));
  });
  expect(rows).toContain(made.id);
  expect(rows).not.toContain(secret.slice(6, 30));
});

test("a repeat with the same idempotency key shows the same webhook and secret", async () => {
  const tenant = await provisionTenant();
  const [first, again] = [await makeWebhook(tenant, {}, "k"), await makeWebhook(tenant, {}, "k")];
  expect(again).toEqual(first);
  expect(await list(tenant)).toHaveLength(1);
  const other = await api.post(`/v1/tenants/${tenant.id}/webhooks`, { key: tenant.admin, body: { url: `${URL_}/other` }, idempotencyKey: "k" });
  expect(other.code).toBe("idempotency-key-reused");
});

test.each(["http://example.com/", "https://127.0.0.1/", "https://2130706433/", "https://[::ffff:169.254.169.254]/", "https://metadata.google.internal/", "https://user:s3cret-pass@example.com/", "nonsense"])("the address %s is refused", async (url) => {
  const tenant = await provisionTenant();
  const refused = await api.post(`/v1/tenants/${tenant.id}/webhooks`, { key: tenant.admin, body: { url } });
  expect([refused.status, refused.code]).toEqual([400, "invalid-request"]);
  expect(refused.text).not.toContain("s3cret-pass");
});

test.each([[{ events: [] }], [{ events: ["nothing"] }], [{ events: ["key.created", "key.created"] }], [{ url: 5 }], [{ tenant: "x" }]])("the body %j is refused", async (body) => {
  const tenant = await provisionTenant();
  expect((await api.post(`/v1/tenants/${tenant.id}/webhooks`, { key: tenant.admin, body: { url: URL_, ...body } })).status).toBe(400);
});

test("a message is signed, says what happened, and is sent once to whoever subscribes to it", async () => {
  const sent = receiver();
  time.set(START);
  const tenant = await provisionTenant();
  const { secret, id } = await makeWebhook(tenant, { events: ["key.created"] });
  await makeWebhook(tenant, { url: `${URL_}/models`, events: ["model.published"] });
  const key = await makeKey(tenant.id, { type: "secret", name: "new" });
  await alarm(tenant);
  await alarm(tenant);
  expect(sent.received).toHaveLength(1);
  const [one] = sent.received;
  if (!one) throw new Error("nothing was sent");
  expect(verifySigned(secret, one)).toMatchObject({ type: "key.created", timestamp: START, data: { tenant: tenant.id, key_id: key.id, name: "new" } });
  expect(() => verifySigned(`whsec_${btoa("x".repeat(32))}`, one)).toThrow();
  expect([one.url, one.redirect, one.headers.get("content-type")]).toEqual([URL_, "manual", "application/json"]);
  expect(one.body).not.toContain(key.key);
  expect(await log(tenant, id)).toMatchObject([{ type: "key.created", state: "delivered", event_id: one.id, next_attempt_at: null, attempts: [{ status: 200, error: null }], message: one.message }]);

  await publishTinyModel(tenant);
  await alarm(tenant);
  expect(sent.received.map(({ url, message }) => [url, message.type])).toEqual([[URL_, "key.created"], [`${URL_}/models`, "model.published"]]);
});

test("a message that is not taken is sent again later, with the same id and a new signature, until it is", async () => {
  const sent = receiver();
  time.set(START);
  const tenant = await provisionTenant();
  const { secret, id } = await makeWebhook(tenant, { events: ["key.created"] });
  await makeKey(tenant.id, { type: "secret", name: "new" });
  sent.answer(500, new Error("refused"), 302);
  await alarm(tenant);
  expect(await log(tenant, id)).toMatchObject([{ state: "pending", next_attempt_at: "2040-11-20T10:00:05Z", attempts: [{ status: 500, error: "answered 500" }] }]);
  await alarm(tenant);
  expect(sent.received).toHaveLength(1);
  time.advance(5_000);
  await alarm(tenant);
  time.advance(300_000);
  await evictDurableObject(objectOf(tenant.id));
  await alarm(tenant);
  time.advance(1_800_000);
  await alarm(tenant);
  expect(await log(tenant, id)).toMatchObject([
    { state: "delivered", attempts: [{ status: 500 }, { status: null, error: "no connection" }, { status: 302, error: "redirects are not followed" }, { status: 200, error: null }] },
  ]);
  expect(new Set(sent.received.map((one) => one.id)).size).toBe(1);
  expect(new Set(sent.received.map((one) => one.headers.get("webhook-signature"))).size).toBe(4);
  const last = sent.received.at(-1);
  expect(last && verifySigned(secret, last)).toBeTruthy();
});

test("after the last attempt it has failed; a replay sends it again, under the same id", async () => {
  const sent = receiver();
  time.set(START);
  const tenant = await provisionTenant();
  const { id } = await makeWebhook(tenant, { events: ["key.created"] });
  await makeKey(tenant.id, { type: "secret", name: "new" });
  sent.answer(...Array.from({ length: 10 }, () => 503));
  for (let attempt = 0; attempt < 12; attempt++) {
    await alarm(tenant);
    time.advance(86_400_000);
  }
  const [failed] = await log(tenant, id);
  expect([failed.state, failed.next_attempt_at, failed.attempts.length, sent.received.length]).toEqual(["failed", null, 10, 10]);

  const replayed = await api.post(`/v1/tenants/${tenant.id}/webhooks/${id}/deliveries/${failed.id}/replay`, { key: tenant.admin });
  expect([replayed.status, replayed.json.state]).toEqual([202, "pending"]);
  await alarm(tenant);
  expect(await log(tenant, id)).toMatchObject([{ state: "delivered", attempts: { length: 11 } }]);
  expect(new Set(sent.received.map((one) => one.id)).size).toBe(1);
  expect(await actions(tenant)).toContain("WEBHOOK_REPLAYED");
});

test("an address that is gone gets no more messages", async () => {
  const sent = receiver();
  time.set(START);
  const tenant = await provisionTenant();
  const { id } = await makeWebhook(tenant, { events: ["key.created"] });
  await makeKey(tenant.id, { type: "secret", name: "one" });
  sent.answer(410);
  await alarm(tenant);
  await makeKey(tenant.id, { type: "secret", name: "two" });
  await alarm(tenant);
  expect(sent.received).toHaveLength(1);
  expect(await list(tenant)).toMatchObject([{ id, disabled_at: START }]);
  expect(await actions(tenant)).toContain("WEBHOOK_DISABLED");
  const [delivery] = await log(tenant, id);
  const replay = await api.post(`/v1/tenants/${tenant.id}/webhooks/${id}/deliveries/${delivery.id}/replay`, { key: tenant.admin });
  expect([replay.status, replay.code]).toEqual([409, "conflict"]);
});

/** An address that answers when the test says so. */
function hanging(sent: Receiver): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  sent.answer(() => promise.then(() => new Response("ok")));
  return resolve;
}

test("an address that hangs holds up neither the alarm nor leases nor D1, and is asked once", async () => {
  const sent = receiver();
  time.set(START);
  const tenant = await readyTenant();
  const { id } = await makeWebhook(tenant, { events: ["key.created"] });
  await makeKey(tenant.id, { type: "secret", name: "one" });
  const answer = hanging(sent);
  const stub = objectOf(tenant.id);
  // The alarm comes, expires leases and sends records, and is set again, all while the address hangs.
  for (let times = 0; times < 3; times++) {
    await getLease(tenant, { ttl_s: 5 });
    time.advance(6_000);
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await runInDurableObject(stub, (_, state) => state.storage.getAlarm())).not.toBeNull();
  }
  const audited = await actions(tenant);
  expect(audited.filter((action: string) => action === "LEASE_EXPIRED")).toHaveLength(3);
  // Another message leaves meanwhile.
  await makeKey(tenant.id, { type: "secret", name: "two" });
  await runDurableObjectAlarm(stub);
  expect(sent.received.map(({ message }) => message.data.name)).toEqual(["one", "two"]);
  answer();
  await settled(tenant.id);
  await alarm(tenant);
  expect(sent.received).toHaveLength(2);
  expect((await log(tenant, id)).map((delivery: { state: string }) => delivery.state)).toEqual(["delivered", "delivered"]);
});

test("a delivery whose object died under way is made again, under the same id; not before the attempt can be over", async () => {
  const sent = receiver();
  time.set(START);
  const tenant = await provisionTenant();
  const { id } = await makeWebhook(tenant, { events: ["key.created"] });
  await makeKey(tenant.id, { type: "secret", name: "one" });
  hanging(sent);
  await runDurableObjectAlarm(objectOf(tenant.id));
  expect(await log(tenant, id)).toMatchObject([{ state: "pending", attempts: [], next_attempt_at: "2040-11-20T10:00:30Z" }]);
  await abortAllDurableObjects();
  for (const [seconds, times] of [[29, 1], [1, 2]] as const) {
    time.advance(seconds * 1_000);
    await runDurableObjectAlarm(objectOf(tenant.id));
    expect(sent.received).toHaveLength(times);
  }
  await settled(tenant.id);
  expect(new Set(sent.received.map((one) => one.id)).size).toBe(1);
  expect(await log(tenant, id)).toMatchObject([{ state: "delivered", attempts: [{ status: 200 }] }]);
});

test("20 attempts are under way at most", async () => {
  const sent = receiver();
  time.set(START);
  const tenant = await provisionTenant();
  await makeWebhook(tenant, { events: ["key.created"] });
  const answers = Array.from({ length: 25 }, () => hanging(sent));
  for (let i = 0; i < 25; i++) await makeKey(tenant.id, { type: "secret", name: `k${i}` });
  for (let times = 0; times < 3; times++) await runDurableObjectAlarm(objectOf(tenant.id));
  expect(sent.received).toHaveLength(20);
  for (const answer of answers) answer();
  await settled(tenant.id);
  await alarm(tenant);
  expect(new Set(sent.received.map((one) => one.id)).size).toBe(25);
  time.advance(60_000);
  await alarm(tenant);
  expect(sent.received).toHaveLength(25);
});

test("a deleted webhook is sent nothing, not even what was waiting", async () => {
  const sent = receiver();
  time.set(START);
  const tenant = await provisionTenant();
  const { id } = await makeWebhook(tenant);
  await makeKey(tenant.id, { type: "secret", name: "one" });
  expect((await api.delete(`/v1/tenants/${tenant.id}/webhooks/${id}`, { key: tenant.admin })).status).toBe(200);
  await makeKey(tenant.id, { type: "secret", name: "two" });
  await alarm(tenant);
  expect(sent.received).toHaveLength(0);
  expect(await list(tenant)).toEqual([]);
  for (const answer of [await api.delete(`/v1/tenants/${tenant.id}/webhooks/${id}`, { key: tenant.admin }), await api.get(`/v1/tenants/${tenant.id}/webhooks/${id}/deliveries`, { key: tenant.admin })]) {
    expect([answer.status, answer.code]).toEqual([404, "not-found"]);
  }
});

test("one tenant's webhooks are nothing to another", async () => {
  const sent = receiver();
  time.set(START);
  const [one, two] = [await provisionTenant(), await provisionTenant()];
  const { id } = await makeWebhook(one);
  expect((await api.get(`/v1/tenants/${two.id}/webhooks/${id}/deliveries`, { key: two.admin })).status).toBe(404);
  expect((await api.delete(`/v1/tenants/${two.id}/webhooks/${id}`, { key: two.admin })).status).toBe(404);
  await makeKey(two.id, { type: "secret", name: "two's" });
  await alarm(two);
  await alarm(one);
  expect(sent.received).toHaveLength(0);
});

test("a tenant has 16 webhooks at most", async () => {
  const tenant = await provisionTenant();
  for (let i = 0; i < 16; i++) await makeWebhook(tenant);
  const refused = await api.post(`/v1/tenants/${tenant.id}/webhooks`, { key: OPERATOR_KEY, body: { url: URL_ } });
  expect([refused.status, refused.code]).toEqual([409, "conflict"]);
});

test("the log is paged, newest first", async () => {
  receiver();
  time.set(START);
  const tenant = await provisionTenant();
  const { id } = await makeWebhook(tenant, { events: ["key.created"] });
  const keys: string[] = [];
  for (let i = 0; i < 5; i++) {
    time.set(Date.parse(START) + i);
    keys.push((await makeKey(tenant.id, { type: "secret", name: `k${i}` })).id);
  }
  const seen: string[] = [];
  let cursor = "";
  do {
    const page = await api.get(`/v1/tenants/${tenant.id}/webhooks/${id}/deliveries?limit=2${cursor}`, { key: tenant.admin });
    seen.push(...page.json.data.map((item: { message: { data: { key_id: string } } }) => item.message.data.key_id));
    cursor = page.json.next_cursor ? `&cursor=${page.json.next_cursor}` : "";
  } while (cursor !== "");
  expect(seen).toEqual(keys.reverse());
});
