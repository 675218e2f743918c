/**
 * Tampering with the audit chain, in D1 and in R2, by somebody who may write there as they like: all of it is found.
 * The chain's own rules are in test/unit/audit; here stand real rows, real objects and the API's own answer.
 */
import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, test } from "vitest";
import { GENESIS, canonicalJson, hashOf } from "../../../worker/ledger/audit-chain.ts";
import { api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { type Random, randomOf } from "../../support/random.ts";
import { type TestTenant, askLease, getLease, objectOf, readyTenant, report } from "../../support/tenant.ts";

interface EventRow {
  tenant_id: string;
  seq: number;
  at: number;
  action: string;
  actor: string;
  user_id: string | null;
  model: string | null;
  request_id: string | null;
  details: string;
  prev_hash: string;
  hash: string;
}

const COLUMNS = ["tenant_id", "seq", "at", "action", "actor", "user_id", "model", "request_id", "details", "prev_hash", "hash"] as const;
const TAMPERINGS = 1_000;

const verify = async (tenant: TestTenant) => expectStatus(await api.get(`/v1/tenants/${tenant.id}/audit/verify`, { key: tenant.reader }), 200).json;

async function rowsOf(tenant: TestTenant): Promise<EventRow[]> {
  return (await env.DB.prepare("SELECT * FROM audit_events WHERE tenant_id = ? ORDER BY seq").bind(tenant.id).all<EventRow>()).results;
}

/** Puts these rows in the place of all rows of the tenant. */
async function replaceRows(tenant: TestTenant, rows: readonly object[]): Promise<void> {
  const values = COLUMNS.map((column) => `value ->> '$.${column}'`).join(", ");
  await env.DB.batch([
    env.DB.prepare("DELETE FROM audit_events WHERE tenant_id = ?").bind(tenant.id),
    env.DB.prepare(`INSERT OR REPLACE INTO audit_events (${COLUMNS.join(", ")}) SELECT ${values} FROM json_each(?)`).bind(JSON.stringify(rows)),
  ]);
}

const rehashed = (row: EventRow): EventRow => {
  const { tenant_id, user_id: user, request_id: requestId, prev_hash: prevHash, hash: _, details, ...rest } = row;
  return { ...row, hash: hashOf(tenant_id, { ...rest, user, requestId, prevHash, details: JSON.parse(details) } as Parameters<typeof hashOf>[1]) };
};

/** The rows as a forger with all of D1 would leave them: numbered and chained anew, nothing wrong in themselves. */
function chainedAnew(rows: readonly EventRow[]): EventRow[] {
  let prev_hash = GENESIS;
  return rows.map((row, index) => {
    const made = rehashed({ ...row, seq: index + 1, prev_hash });
    prev_hash = made.hash;
    return made;
  });
}

const altered = (row: EventRow, random: Random): EventRow => {
  const details = JSON.parse(row.details) as Record<string, unknown>;
  const changes: Partial<EventRow>[] = [
    { at: row.at + random.pick([-3_600_000, -1, 1, 60_000]) },
    { action: row.action === "LEASE_DENIED" ? "LEASE_GRANTED" : "LEASE_DENIED" },
    { actor: `${row.actor}x` },
    { user_id: row.user_id === null ? "" : random.pick([null, "", "mallory"]) },
    { model: row.model === null ? "tiny" : random.pick([null, "huge"]) },
    { request_id: row.request_id === null ? "req_1" : random.pick([null, "req_forged"]) },
    { details: canonicalJson({ ...details, cost_nanos: 0, forged: random.int(0, 9) }) },
    { details: random.pick([` ${row.details}`, row.details.replace("{", '{"a":1,'), "{}", "[]", "null", "not json", '{"a":1,"a":2}'].filter((text) => text !== row.details)) },
    { prev_hash: flipped(row.prev_hash, random) },
    { hash: flipped(row.hash, random) },
  ];
  return { ...row, ...random.pick(changes) };
};

const flipped = (hash: string, random: Random) => {
  const at = random.int(0, 63);
  return `${hash.slice(0, at)}${hash[at] === "0" ? "1" : "0"}${hash.slice(at + 1)}`;
};

const without = <T>(rows: readonly T[], from: number, count: number): T[] => [...rows.slice(0, from), ...rows.slice(from + count)];
const swapped = (rows: readonly EventRow[], a: number, b: number): EventRow[] => {
  const mixed = [...rows];
  [mixed[a], mixed[b]] = [{ ...(rows[b] as EventRow), seq: a + 1 }, { ...(rows[a] as EventRow), seq: b + 1 }];
  return mixed;
};

/** Each returns what D1 then holds in the place of `rows`. */
const WAYS: Record<string, (rows: EventRow[], random: Random, foreign: EventRow) => object[]> = {
  "one column of one event": (rows, random) => rows.with(random.int(0, rows.length - 1), altered(random.pick(rows), random)).map((row, index) => ({ ...row, seq: index + 1 })),
  "one event, with its own hash made to fit": (rows, random) => {
    const at = random.int(0, rows.length - 1);
    return rows.with(at, rehashed({ ...(rows[at] as EventRow), details: canonicalJson({ forged: random.int(0, 1e6) }) }));
  },
  "one event, and the whole chain after it written anew": (rows, random) => {
    const at = random.int(0, rows.length - 1);
    return chainedAnew(rows.with(at, { ...(rows[at] as EventRow), details: canonicalJson({ forged: random.int(0, 1e6) }) }));
  },
  "events deleted": (rows, random) => without(rows, random.int(0, rows.length - 1), random.int(1, 5)),
  "events deleted, and the chain closed over the gap": (rows, random) => chainedAnew(without(rows, random.int(0, rows.length - 1), random.int(1, 5))),
  "the end cut off": (rows, random) => rows.slice(0, random.int(0, rows.length - 1)),
  "the beginning cut off": (rows, random) => rows.slice(random.int(1, rows.length)),
  "the beginning cut off, and the rest chained anew": (rows, random) => chainedAnew(rows.slice(random.int(1, rows.length))),
  "two events in each other's places": (rows, random) => {
    const a = random.int(0, rows.length - 2);
    return swapped(rows, a, random.int(a + 1, rows.length - 1));
  },
  "two events in each other's places, and the chain written anew": (rows, random) => {
    const a = random.int(0, rows.length - 2);
    return chainedAnew(swapped(rows, a, random.int(a + 1, rows.length - 1)));
  },
  "an event put in, and the chain written anew": (rows, random) => {
    const at = random.int(0, rows.length);
    return chainedAnew(rows.toSpliced(at, 0, { ...(rows[Math.min(at, rows.length - 1)] as EventRow), actor: "forger" }));
  },
  "an event put at the end": (rows) => {
    const last = rows.at(-1) as EventRow;
    return [...rows, rehashed({ ...last, seq: last.seq + 1, prev_hash: last.hash })];
  },
  "an event put before the first": (rows, random) => [rehashed({ ...(rows[0] as EventRow), seq: random.pick([0, -1, -5, Number.MIN_SAFE_INTEGER, -(2 ** 60)]) }), ...rows],
  "an event between two numbers": (rows, random) => [...rows, { ...random.pick(rows), seq: random.int(1, rows.length) - 0.5 }],
  "an event under a number that is none": (rows, random) => [...rows, { ...random.pick(rows), seq: "zz" }],
  "an event of another tenant in the place of one": (rows, random, foreign) => {
    const at = random.int(0, rows.length - 1);
    return rows.with(at, { ...foreign, tenant_id: (rows[0] as EventRow).tenant_id, seq: at + 1 });
  },
  "an event given to another tenant": (rows, random) => {
    const at = random.int(0, rows.length - 1);
    return rows.with(at, { ...(rows[at] as EventRow), tenant_id: "somebody-else" });
  },
};

const time = clock();

async function busyTenant(): Promise<TestTenant> {
  const tenant = await readyTenant({ daily_token_limit: 10_000 });
  for (let i = 0; i < 14; i++) {
    const lease = await getLease(tenant, { user: `user-${i % 3}`, metadata: { "10": "ten", "9": "nine", note: "naïve “quotes” \u2028" } });
    if (i % 2 === 0) await report(lease, { request_id: `run-${i}`, input_tokens: i, output_tokens: 2 * i });
  }
  await askLease(tenant, { tokens: 1_000_000 });
  return tenant;
}

describe("D1", () => {
  let tenant: TestTenant;
  let rows: EventRow[];
  let foreign: EventRow;

  beforeAll(async () => {
    tenant = await busyTenant();
    const other = await busyTenant();
    expect((await verify(other)).valid).toBe(true);
    foreign = (await rowsOf(other))[4] as EventRow;
    expect(await verify(tenant)).toMatchObject({ valid: true, next_cursor: null });
    rows = await rowsOf(tenant);
  }, 60_000);

  test(`${TAMPERINGS} random tamperings: every one is found, and none is seen where there is none`, async () => {
    const seed = Date.now() % 1_000_000;
    const random = randomOf(seed);
    const missed: string[] = [];
    const found = new Map<string, number>();
    let rounds = 0;
    while (rounds < TAMPERINGS) {
      const way = random.pick(Object.keys(WAYS));
      const forged = (WAYS[way] as (typeof WAYS)[string])(structuredClone(rows), random, foreign);
      if (canonicalJson(forged) === canonicalJson(rows)) continue;
      await replaceRows(tenant, forged);
      const { valid, reason } = await verify(tenant);
      rounds += 1;
      if (valid) missed.push(`seed ${seed}, round ${rounds}: ${way}`);
      found.set(reason, (found.get(reason) ?? 0) + 1);
    }
    await env.DB.prepare("DELETE FROM audit_events WHERE tenant_id = 'somebody-else'").run();
    await replaceRows(tenant, rows);
    expect(missed).toEqual([]);
    expect([...found.keys()]).toEqual(expect.arrayContaining(["event-altered", "event-missing", "events-truncated", "event-surplus", "link-broken", "head-mismatch"]));
    expect((await verify(tenant)).valid).toBe(true);
  }, 180_000);

  test.each([
    ["event-altered", 5, (all: EventRow[]) => all.with(4, { ...(all[4] as EventRow), actor: "nobody" })],
    ["event-missing", 5, (all: EventRow[]) => without(all, 4, 2)],
    ["events-truncated", 11, (all: EventRow[]) => all.slice(0, 10)],
    ["link-broken", 6, (all: EventRow[]) => all.with(4, rehashed({ ...(all[4] as EventRow), details: "{}" }))],
    ["event-surplus", 0, (all: EventRow[]) => [rehashed({ ...(all[0] as EventRow), seq: 0 }), ...all]],
  ] as const)("%s is said with its place", async (reason, broken_at, tamper) => {
    await replaceRows(tenant, tamper(rows));
    expect(await verify(tenant)).toMatchObject({ valid: false, reason, broken_at, next_cursor: null });
    await replaceRows(tenant, rows);
  });

  test("a chain that was written anew, to its end, is not the one that was signed or that the ledger wrote", async () => {
    await replaceRows(tenant, chainedAnew(rows.with(2, { ...(rows[2] as EventRow), actor: "forger" })));
    const { valid, reason } = await verify(tenant);
    expect([valid, ["signed-head-mismatch", "head-mismatch"].includes(reason)]).toEqual([false, true]);
    await replaceRows(tenant, rows);
  });
});

describe("R2", () => {
  async function signedTwice() {
    time.set("2026-11-22T10:00:00Z");
    const tenant = await readyTenant();
    await verify(tenant);
    await getLease(tenant);
    await verify(tenant);
    await getLease(tenant);
    await verify(tenant);
    const { objects } = await env.BLOBS.list({ prefix: `tenants/${tenant.id}/audit/heads/` });
    expect(objects.length).toBeGreaterThanOrEqual(3);
    return { tenant, keys: objects.map(({ key }) => key) };
  }

  test("a verification signs the head, once while nothing happens, and hands it out", async () => {
    const { tenant, keys } = await signedTwice();
    const again = await verify(tenant);
    const { objects } = await env.BLOBS.list({ prefix: `tenants/${tenant.id}/audit/heads/` });
    expect(objects.map(({ key }) => key)).toEqual(keys);
    const [header, payload] = (again.head.signed as string).split(".").slice(0, 2).map((part) => JSON.parse(atob(part.replaceAll("-", "+").replaceAll("_", "/"))));
    expect(header).toEqual({ alg: "EdDSA", typ: "audit-head+jws", kid: header.kid });
    expect(payload).toMatchObject({ tenant: tenant.id, seq: again.head.seq, hash: again.head.hash, signed_at: "2026-11-22T10:00:00Z" });
  });

  test.each([0, 1, 2])("signed head %i deleted", async (at) => {
    const { tenant, keys } = await signedTwice();
    await env.BLOBS.delete(keys.at(-3 + at) as string);
    expect(await verify(tenant)).toMatchObject({ valid: false, reason: "signed-head-missing" });
  });

  test("a signed head altered, or put in another's place", async () => {
    const { tenant, keys } = await signedTwice();
    const [first, second] = keys.slice(-2) as [string, string];
    const text = await (await env.BLOBS.get(second))?.text();
    await env.BLOBS.put(second, `${text?.slice(0, -4)}AAAA`);
    expect(await verify(tenant)).toMatchObject({ valid: false, reason: "signed-head-invalid" });
    await env.BLOBS.put(second, (await (await env.BLOBS.get(first))?.text()) as string);
    expect(await verify(tenant)).toMatchObject({ valid: false, reason: "signed-head-invalid" });
  });

  test("a ledger that was set back behind a signed head", async () => {
    const { tenant } = await signedTwice();
    const rows = await rowsOf(tenant);
    const past = rows.at(-2) as EventRow;
    await replaceRows(tenant, rows.slice(0, -1));
    await runInDurableObject(objectOf(tenant.id), (_, state) => {
      state.storage.sql.exec("UPDATE audit_head SET seq = ?, hash = ?, at = ? WHERE id = 1", past.seq, past.hash, past.at);
      state.storage.sql.exec("DELETE FROM outbox");
      state.storage.sql.exec("DELETE FROM signed_head");
    });
    await evictDurableObject(objectOf(tenant.id));
    expect(await verify(tenant)).toMatchObject({ valid: false, reason: "signed-head-ahead", broken_at: past.seq + 1 });
  });

  test("a head is signed by the alarm after a quarter of an hour", async () => {
    const { tenant, keys } = await signedTwice();
    time.set("2026-11-22T10:05:00Z");
    await getLease(tenant, { ttl_s: 5 });
    await runDurableObjectAlarm(objectOf(tenant.id));
    expect((await env.BLOBS.list({ prefix: `tenants/${tenant.id}/audit/heads/` })).objects.length).toBe(keys.length);
    time.set("2026-11-22T10:16:00Z");
    await runDurableObjectAlarm(objectOf(tenant.id));
    expect((await env.BLOBS.list({ prefix: `tenants/${tenant.id}/audit/heads/` })).objects.length).toBe(keys.length + 1);
  });
});

test("a cursor that is made up is no way past the events: beyond the end it is refused, before it it does not fit", async () => {
  const tenant = await readyTenant();
  const whole = await verify(tenant);
  const from = (seq: number, hash: string) => api.get(`/v1/tenants/${tenant.id}/audit/verify?cursor=${seq}.${hash}.0`, { key: tenant.reader });
  for (const cursor of [[999_999_999_999_999, GENESIS], [whole.events + 1, whole.head.hash], [whole.events, GENESIS]] as const) {
    expect(await from(cursor[0], cursor[1]), String(cursor)).toMatchObject({ status: 400, code: "invalid-request" });
  }
  expect((await from(whole.events - 1, GENESIS)).json).toMatchObject({ valid: false, reason: "link-broken" });
  expect((await from(whole.events, whole.head.hash)).json).toMatchObject({ valid: true, events: whole.events });
});
