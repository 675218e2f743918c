/**
 * Blobs that nothing names are collected, and none that is in use ever is: each race by itself, and a random one of all
 * that publishes, deletes and collects at once.
 */
import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { type Answer, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { r2 } from "../../support/r2-tap.ts";
import { type TestTenant, manifestBytes, objectOf, provisionTenant, publishTinyModel, quotaOf, sha256Hex } from "../../support/tenant.ts";

const time = clock();
// In the future, so that no alarm fires but those that the tests run.
const START = "2040-11-20T10:00:00Z";
const HOUR = 3_600_000;

const blob = (fill: number) => new Uint8Array(8).fill(fill);
const digests = new Map<number, string>();
async function digestOf(fill: number): Promise<string> {
  const known = digests.get(fill) ?? (await sha256Hex(blob(fill)));
  digests.set(fill, known);
  return known;
}
async function bodyOf(fills: readonly number[]) {
  const files = await Promise.all(fills.map(async (fill) => ({ sha256: await digestOf(fill), size: 8, path: `${fill}.bin`, chunks: [{ sha256: await digestOf(fill), size: 8 }] })));
  return { task: "raw", usage: { measure: "per-run", tokens: 1 }, variants: [{ id: "all", files }], prices: { input_nanos_per_token: 1, output_nanos_per_token: 2 } };
}
const at = (tenant: TestTenant) => `/v1/tenants/${tenant.id}`;
const begin = async (tenant: TestTenant, model: string, fills: readonly number[]) => api.post(`${at(tenant)}/models/${model}/revisions`, { key: tenant.admin, body: await bodyOf(fills) });
const put = async (tenant: TestTenant, fill: number) => api.put(`${at(tenant)}/blobs/${await digestOf(fill)}`, { key: tenant.admin, body: blob(fill) });
const commit = (tenant: TestTenant, model: string, revision: string, stage: string) => api.post(`${at(tenant)}/models/${model}/revisions/${revision}/commit`, { key: tenant.admin, body: { stage } });
const blobs = async (tenant: TestTenant) => (await env.BLOBS.list({ prefix: `tenants/${tenant.id}/blobs/` })).objects.map(({ key, size }) => ({ digest: key.split("/")[3], size }));
const alarm = (tenant: TestTenant) => runDurableObjectAlarm(objectOf(tenant.id));
/** Alarms until nothing is on its way out any more. */
async function collected(tenant: TestTenant): Promise<void> {
  const going = () => runInDurableObject(objectOf(tenant.id), (_, { storage }) => storage.sql.exec<{ n: number }>("SELECT (SELECT count(*) FROM collecting) + (SELECT count(*) FROM drafts WHERE dropping > 0) AS n").one().n);
  await alarm(tenant);
  await expect.poll(going, { interval: 5, timeout: 10_000 }).toBe(0);
}

test("a blob that nothing names is collected a day after it was last sent, and storage falls", async () => {
  time.set(START);
  const tenant = await provisionTenant();
  const named = await publishTinyModel(tenant);
  for (const fill of [1, 2]) expectStatus(await put(tenant, fill), 201);
  time.advance(12 * HOUR);
  expectStatus(await put(tenant, 2), 200);
  time.advance(12 * HOUR);
  await collected(tenant);
  expect((await blobs(tenant)).map(({ digest }) => digest).sort()).toEqual([named.digest, await digestOf(2)].sort());
  expect((await quotaOf(tenant)).storage_bytes.posted).toBe(64 + 8 + (await manifestBytes(tenant)));
  time.advance(12 * HOUR);
  await collected(tenant);
  expect(await blobs(tenant)).toEqual([{ digest: named.digest, size: 64 }]);
  const audit = (await api.get(`${at(tenant)}/audit?action=BLOBS_COLLECTED`, { key: tenant.reader })).json.data;
  expect(audit.map(({ actor, details }: { actor: string; details: object }) => [actor, details])).toEqual([["system", { blobs: 1, bytes: 8 }], ["system", { blobs: 1, bytes: 8 }]]);
});

test("the blobs of a draft that was dropped go with it; those that a draft was told of stay, however old", async () => {
  time.set(START);
  const tenant = await provisionTenant();
  expectStatus(await begin(tenant, "left", [1]), 201);
  expectStatus(await put(tenant, 1), 201);
  expectStatus(await put(tenant, 2), 201);
  time.advance(23 * HOUR);
  const told = expectStatus(await begin(tenant, "told", [2, 3]), 201).json;
  expect(told.missing).toEqual([await digestOf(3)]);
  time.advance(2 * HOUR);
  await collected(tenant);
  await collected(tenant);
  expect((await blobs(tenant)).map(({ digest }) => digest)).toEqual([await digestOf(2)]);
  expectStatus(await put(tenant, 3), 201);
  expectStatus(await commit(tenant, "told", told.revision, "live"), 200);
});

test("while a blob is being deleted a draft is told that it is missing, and its upload waits until it is gone", async () => {
  time.set(START);
  onTestFinished(() => r2.heal());
  const tenant = await provisionTenant();
  expectStatus(await put(tenant, 1), 201);
  time.advance(25 * HOUR);
  // The deletion reaches R2 after the upload would have.
  r2.fail((call) => (call === 0 ? "delay" : null));
  const alarmed = alarm(tenant);
  await expect.poll(() => r2.hanging, { interval: 5, timeout: 10_000 }).toBe(1);
  const draft = expectStatus(await begin(tenant, "m", [1]), 201).json;
  expect(draft.missing).toEqual([await digestOf(1)]);
  const upload = put(tenant, 1);
  await runInDurableObject(objectOf(tenant.id), () => r2.release()); // what hangs is the object's own
  await alarmed;
  // That deletion was done and its answer lost: for as long as another might be under way, the upload is refused.
  expect((await upload).code).toBe("unavailable");
  time.advance(60_000);
  await collected(tenant);
  expectStatus(await put(tenant, 1), 201);
  expectStatus(await commit(tenant, "m", draft.revision, "live"), 200);
  expect(await blobs(tenant)).toEqual([{ digest: await digestOf(1), size: 8 }]);
});

test("of two uploads of one blob at once the second is not recorded where the blob was deleted between them", async () => {
  time.set(START);
  const tenant = await provisionTenant();
  const call = { presented: { kind: "operator" }, access: ["operator"], requestId: "req_test" } as const;
  const object = objectOf(tenant.id);
  const digest = await digestOf(1);
  const draft = expectStatus(await begin(tenant, "m", [1]), 201).json;
  const late = (await object.ask("uploads", "admit", [call, digest, 8])) as { value: { admission: string } };
  await env.BLOBS.put(`tenants/${tenant.id}/blobs/${digest}`, blob(1));
  expectStatus(await put(tenant, 1), 201);
  expectStatus(await commit(tenant, "m", draft.revision, "live"), 200);
  expectStatus(await api.delete(`${at(tenant)}/models/m`, { key: tenant.admin }), 200);
  expect(await blobs(tenant)).toEqual([]);
  expect(await object.ask("uploads", "record", [call, digest, 8, late.value.admission])).toMatchObject({ ok: false, refusal: { code: "unavailable" } });
});

test("what an upload left in R2 that never came to its record is taken away", async () => {
  time.set(START);
  const tenant = await provisionTenant();
  const call = { presented: { kind: "operator" }, access: ["operator"], requestId: "req_test" } as const;
  await objectOf(tenant.id).ask("uploads", "admit", [call, await digestOf(1), 8]);
  await env.BLOBS.put(`tenants/${tenant.id}/blobs/${await digestOf(1)}`, blob(1));
  time.advance(25 * HOUR);
  await collected(tenant);
  expect([await blobs(tenant), (await quotaOf(tenant)).storage_bytes]).toEqual([[], expect.objectContaining({ held: 0, posted: 0 })]);
});

test("a manifest that was begun again and committed is not taken by a deletion of many that is slow", async () => {
  time.set(START);
  onTestFinished(() => r2.heal());
  const tenant = await provisionTenant();
  const begun: { fill: number; revision: string }[] = [];
  for (const fill of [1, 2, 3, 4]) begun.push({ fill, revision: expectStatus(await begin(tenant, "m", [fill]), 201).json.revision });
  const last = begun.reduce((one, other) => (one.revision > other.revision ? one : other));
  const isThere = async () => (await env.BLOBS.head(`tenants/${tenant.id}/models/m/${last.revision}/manifest.json`)) !== null;
  const dropping = () => runInDurableObject(objectOf(tenant.id), (_, { storage }) => storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM drafts WHERE dropping > 0").one().n);
  // Every deletion takes 25 s, and none fails.
  r2.fail(() => "slow");
  const deleting = api.delete(`${at(tenant)}/models/m`, { key: tenant.admin });
  await expect.poll(() => r2.hanging, { interval: 5, timeout: 10_000 }).toBe(1);
  for (let step = 0; step < 2; step++) {
    await expect.poll(async () => r2.hanging === 1 || (await dropping()) === 0, { interval: 5, timeout: 10_000 }).toBe(true);
    time.advance(25_000);
    await runInDurableObject(objectOf(tenant.id), () => r2.release());
  }
  time.advance(11_000);
  r2.heal();
  await alarm(tenant);
  await expect.poll(dropping, { interval: 5, timeout: 10_000 }).toBe(0);
  expect(expectStatus(await begin(tenant, "m", [last.fill]), 201).json.revision).toBe(last.revision);
  expectStatus(await put(tenant, last.fill), 201);
  expectStatus(await commit(tenant, "m", last.revision, "live"), 200);
  time.advance(9_000);
  await runInDurableObject(objectOf(tenant.id), () => r2.release());
  expectStatus(await deleting, 200);
  expect(await isThere()).toBe(true);
  expect((await api.get("/v1/models/m/manifest", { key: tenant.admin })).status).toBe(200);
});

type Step =
  | { kind: "publish"; model: string; fills: number[]; stage: "live" | "draft" }
  | { kind: "begin"; model: string; fills: number[] }
  | { kind: "put"; fill: number }
  | { kind: "delete"; model: string }
  | { kind: "collect" }
  | { kind: "pass"; hours: number };

const model = fc.constantFrom("a", "b", "c");
const fills = fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("publish" as const), model, fills, stage: fc.constantFrom("live" as const, "draft" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("begin" as const), model, fills }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("put" as const), fill: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), model }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("collect" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("pass" as const), hours: fc.constantFrom(1, 13, 25) }) },
);

/** What anything may be refused with while the others are at work: to be sent again, or lost to a deletion. */
const RACED = new Set(["conflict", "unavailable", "revision-incomplete", "not-found"]);
function mayBeRaced(answer: Answer): boolean {
  if (answer.status < 300) return true;
  expect(RACED, answer.text).toContain(answer.code);
  return false;
}

async function take(tenant: TestTenant, one: Step): Promise<void> {
  switch (one.kind) {
    case "publish": {
      const begun = await begin(tenant, one.model, one.fills);
      if (!mayBeRaced(begun)) return;
      for (const missing of begun.json.missing as string[]) {
        const fill = one.fills.find((candidate) => digests.get(candidate) === missing) as number;
        mayBeRaced(await put(tenant, fill));
      }
      mayBeRaced(await commit(tenant, one.model, begun.json.revision, one.stage));
      return;
    }
    case "begin":
      return void mayBeRaced(await begin(tenant, one.model, one.fills));
    case "put":
      return void mayBeRaced(await put(tenant, one.fill));
    case "delete":
      return void mayBeRaced(await api.delete(`${at(tenant)}/models/${one.model}`, { key: tenant.admin }));
    case "collect":
      return void (await alarm(tenant));
    case "pass":
      time.advance(one.hours * HOUR);
  }
}

/** What manifests take is counted, all of it; more where one is on its way, in or out. */
async function manifestsCounted(tenant: TestTenant): Promise<{ counted: number; stored: number }> {
  const bytes = "SELECT (SELECT coalesce(sum(manifest_bytes), 0) FROM revisions) + (SELECT coalesce(sum(manifest_bytes), 0) FROM drafts d WHERE NOT EXISTS (SELECT 1 FROM revisions r WHERE r.model = d.model AND r.revision = d.revision)) AS n";
  const counted = await runInDurableObject(objectOf(tenant.id), (_, { storage }) => storage.sql.exec<{ n: number }>(bytes).one().n);
  return { counted, stored: await manifestBytes(tenant) };
}

/** Every revision that is committed has its manifest in R2 and all of its chunks; what counts as stored is there. */
async function expectWhole(tenant: TestTenant) {
  const sizes = new Map((await blobs(tenant)).map(({ digest, size }) => [digest, size]));
  for (const name of ["a", "b", "c"]) {
    const { data } = expectStatus(await api.get(`${at(tenant)}/models/${name}/revisions?limit=200`, { key: tenant.reader }), 200).json;
    for (const { revision } of data.filter(({ committed }: { committed: boolean }) => committed)) {
      const manifest = await env.BLOBS.get(`tenants/${tenant.id}/models/${name}/${revision}/manifest.json`);
      if (!manifest) throw new Error(`the manifest of ${name} ${revision} is gone`);
      const { variants } = await manifest.json<{ variants: { files: { chunks: { sha256: string; size: number }[] }[] }[] }>();
      for (const { sha256, size } of variants.flatMap((variant) => variant.files.flatMap((file) => file.chunks))) expect(sizes.get(sha256), `a chunk of ${name} ${revision}`).toBe(size);
    }
  }
  const kept = await runInDurableObject(objectOf(tenant.id), (_, { storage }) => storage.sql.exec<{ sha256: string }>("SELECT sha256 FROM blobs").toArray().map(({ sha256 }) => sha256));
  for (const sha256 of kept) expect(sizes.has(sha256), "a blob that is said to be stored").toBe(true);
  return await manifestsCounted(tenant);
}

test("whatever is published, begun, put, deleted and collected at once, every committed revision has its manifest and all its chunks", async () => {
  for (let fill = 1; fill <= 6; fill++) await digestOf(fill);
  onTestFinished(() => r2.heal());
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { minLength: 4, maxLength: 10 }), fc.integer({ min: 0, max: 12 }), async (rounds, faulty) => {
      time.set(START);
      r2.heal();
      const tenant = await provisionTenant();
      r2.fail((call) => (faulty > 0 && call % 13 === faulty ? "lose" : null));
      for (const round of rounds) {
        // A lost answer of R2 may fail any request; what was committed is whole all the same.
        await Promise.all(round.map((one) => take(tenant, one)));
      }
      r2.heal();
      const before = await expectWhole(tenant);
      expect(before.counted).toBeGreaterThanOrEqual(before.stored);
      time.advance(26 * HOUR);
      await collected(tenant);
      const { counted, stored } = await expectWhole(tenant);
      expect(counted).toBe(stored);
    }),
    { numRuns: env.TEST_SOAK ? 500 : 30 },
  );
});
