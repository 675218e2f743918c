/**
 * Tampering with what bills are made of, in D1 and in the tenant object, by somebody who may write there as they like:
 * `GET …/audit/verify` finds all of it and says of which kind it is.
 */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, test } from "vitest";
import type { TenantId } from "../../../schema/contract/ids.ts";
import { DISCREPANCIES, type DiscrepancyKind } from "../../../schema/contract/records.ts";
import { ALL_DAYS, EVERYWHERE } from "../../../worker/tenants/bill-records.ts";
import { asVerified } from "../../../worker/tenants/credential.ts";
import { TenantRecords } from "../../../worker/tenants/records.ts";
import { api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { type Random, randomOf } from "../../support/random.ts";
import { type TestTenant, getLease, objectOf, readyTenant, report } from "../../support/tenant.ts";

type Value = string | number | null;
type Row = Readonly<Record<string, Value>>;
type Table = "cost_records" | "usage_daily";

const TAMPERINGS = env.TEST_SOAK ? 10_000 : 400;
const COST_NUMBERS = ["at", "input_tokens", "output_tokens", "unreported_tokens", "calls", "cost_nanos"];
const COST_TEXTS = ["day", "lease_id", "request_id", "user_id", "model", "revision", "outcome", "error_code", "backend", "cache"];
const DAY_NUMBERS = ["input_tokens", "output_tokens", "unreported_tokens", "calls", "cost_nanos", "version"];

const time = clock();

const verify = async (tenant: TestTenant) => expectStatus(await api.get(`/v1/tenants/${tenant.id}/audit/verify`, { key: tenant.reader }), 200).json as { valid: boolean; reason?: string; discrepancies: { kind: DiscrepancyKind; count: number; first: Record<string, Value> }[] };
const rowsOf = async (table: Table, tenant: TestTenant) => (await env.DB.prepare(`SELECT * FROM ${table} WHERE tenant_id = ?`).bind(tenant.id).all<Row>()).results;

async function replaceRows(table: Table, tenant: TestTenant, rows: readonly Row[]): Promise<void> {
  const columns = Object.keys(rows[0] ?? {});
  const insert = env.DB.prepare(`INSERT OR REPLACE INTO ${table} (${columns.join(", ")}) SELECT ${columns.map((column) => `value ->> '$.${column}'`).join(", ")} FROM json_each(?)`);
  await env.DB.batch([env.DB.prepare(`DELETE FROM ${table} WHERE tenant_id = ?`).bind(tenant.id), ...(rows.length > 0 ? [insert.bind(JSON.stringify(rows))] : [])]);
}

/** One column of one row is another. */
function edited(rows: readonly Row[], numbers: readonly string[], texts: readonly string[], random: Random): Row[] {
  const at = random.int(0, rows.length - 1);
  const row = rows[at] as Row;
  const column = random.pick([...numbers, ...texts]);
  const before = row[column] as Value;
  const after = numbers.includes(column) ? Number(before) + random.pick([-1, 1, 1_000, -1_000_000]) : random.pick(["", "forged", "2026-11-21"].filter((text) => text !== before));
  return rows.with(at, { ...row, [column]: after });
}

const without = (rows: readonly Row[], random: Random): Row[] => rows.toSpliced(random.int(0, rows.length - 1), random.int(1, rows.length));

const swapped = (rows: readonly Row[], random: Random, columns: readonly string[]): Row[] => {
  const [a, b] = [random.int(0, rows.length - 1), random.int(0, rows.length - 1)];
  const part = (row: Row) => Object.fromEntries(columns.map((column) => [column, row[column] as Value]));
  return rows.with(a, { ...rows[a], ...part(rows[b] as Row) } as Row).with(b, { ...rows[b], ...part(rows[a] as Row) } as Row);
};

const WAYS: Record<string, { table: Table; tamper(rows: Row[], random: Random): Row[] }> = {
  "a cost, one column": { table: "cost_records", tamper: (rows, random) => edited(rows, COST_NUMBERS, COST_TEXTS, random) },
  "costs deleted": { table: "cost_records", tamper: without },
  "the end of the costs cut off": { table: "cost_records", tamper: (rows, random) => rows.slice(0, random.int(0, rows.length - 1)) },
  "two costs in each other's places": { table: "cost_records", tamper: (rows, random) => swapped(rows, random, ["seq"]) },
  "what two leases cost, exchanged": { table: "cost_records", tamper: (rows, random) => swapped(rows, random, ["cost_nanos", "input_tokens"]) },
  "a cost put in": { table: "cost_records", tamper: (rows, random) => [...rows, { ...random.pick(rows), seq: random.pick([1, 2, 0, -1, -(2 ** 60), 2.5, 1e6, 2 ** 60, "zz"]) }] },
  "a sum, one column": { table: "usage_daily", tamper: (rows, random) => edited(rows, DAY_NUMBERS, ["day", "model", "user_id"], random) },
  "sums deleted": { table: "usage_daily", tamper: without },
  "the end of the sums cut off": { table: "usage_daily", tamper: (rows, random) => rows.slice(0, random.int(0, rows.length - 1)) },
  "two sums in each other's places": { table: "usage_daily", tamper: (rows, random) => swapped(rows, random, ["day", "model", "user_id"]) },
  "a sum put in": { table: "usage_daily", tamper: (rows, random) => [...rows, { ...random.pick(rows), user_id: random.pick(["nobody", "\u0000", "zz"]), version: random.pick([0, 1, 1e6]) }] },
};

let tenant: TestTenant;
let whole: Record<Table, Row[]>;

beforeAll(async () => {
  time.set("2026-11-22T10:00:00Z");
  tenant = await readyTenant();
  for (let i = 0; i < 9; i++) {
    if (i === 6) time.set("2026-11-23T10:00:00Z");
    const lease = await getLease(tenant, { ttl_s: 60, ...(i % 3 > 0 && { user: `user-${i % 3}` }) });
    if (i % 4 !== 3) await report(lease, { request_id: `run-${i}`, input_tokens: i + 1, output_tokens: 2 * i + 1, final: i % 2 === 0 });
  }
  time.advance(61_000);
  expect(await verify(tenant)).toMatchObject({ valid: true, discrepancies: [] });
  whole = { cost_records: await rowsOf("cost_records", tenant), usage_daily: await rowsOf("usage_daily", tenant) };
}, 60_000);

async function tampered(table: Table, rows: readonly Row[]) {
  await replaceRows(table, tenant, rows);
  const found = await verify(tenant);
  await replaceRows(table, tenant, whole[table]);
  return found;
}

test(`${TAMPERINGS} random tamperings with costs and sums: every one is found, and the chain is not blamed`, async () => {
  const seed = Date.now() % 1_000_000;
  const random = randomOf(seed);
  const missed: string[] = [];
  const kinds = new Set<string>();
  let rounds = 0;
  while (rounds < TAMPERINGS) {
    const way = random.pick(Object.keys(WAYS));
    const { table, tamper } = WAYS[way] as (typeof WAYS)[string];
    const forged = tamper(structuredClone(whole[table]), random);
    if (isSame(forged, whole[table])) continue;
    const { valid, reason, discrepancies } = await tampered(table, forged);
    rounds += 1;
    if (valid || discrepancies.length === 0 || reason !== undefined) missed.push(`seed ${seed}, round ${rounds}: ${way}`);
    for (const { kind } of discrepancies) kinds.add(kind);
  }
  expect(missed).toEqual([]);
  expect([...kinds].toSorted()).toEqual(Object.keys(DISCREPANCIES).filter((kind) => kind !== "day-unlike-postings").toSorted());
  expect((await verify(tenant)).valid).toBe(true);
}, 120_000);

const isSame = (a: readonly Row[], b: readonly Row[]) => {
  const lines = (rows: readonly Row[]) => rows.map((row) => JSON.stringify(Object.entries(row).toSorted())).toSorted().join("\n");
  return lines(a) === lines(b);
};

describe("each kind is said with its number and its first place", () => {
  test.each<[DiscrepancyKind, Table, number, (rows: Row[]) => Row[]]>([
    ["cost-missing", "cost_records", 2, (rows) => rows.slice(2)],
    ["cost-altered", "cost_records", 1, (rows) => rows.with(3, { ...rows[3], cost_nanos: 0 } as Row)],
    ["cost-surplus", "cost_records", 1, (rows) => [...rows, { ...rows[0], seq: 1 } as Row]],
    ["day-missing", "usage_daily", 3, (rows) => rows.slice(3)],
    ["day-altered", "usage_daily", 1, (rows) => rows.with(0, { ...rows[0], calls: 0 } as Row)],
    ["day-surplus", "usage_daily", 1, (rows) => [...rows, { ...rows[0], model: "huge" } as Row]],
    ["day-unlike-costs", "usage_daily", 1, (rows) => rows.with(1, { ...rows[1], cost_nanos: 1 } as Row)],
  ])("%s", async (kind, table, count, tamper) => {
    const { discrepancies } = await tampered(table, tamper(whole[table]));
    const told = discrepancies.find((one) => one.kind === kind);
    expect(told).toMatchObject({ count });
    expect(Object.keys(told?.first ?? {})).toEqual(expect.arrayContaining([table === "cost_records" ? "seq" : "day"]));
  });

  test("day-unlike-postings, where the object itself was altered", async () => {
    const post = (nanos: number) => runInDurableObject(objectOf(tenant.id), (_, state) => void state.storage.sql.exec("UPDATE windows SET posted_nanos = posted_nanos + ? WHERE scope = 't' AND day = '2026-11-22'", nanos));
    await post(5);
    expect((await verify(tenant)).discrepancies).toMatchObject([{ kind: "day-unlike-postings", count: 1, first: { day: "2026-11-22" } }]);
    await post(-5);
    expect((await verify(tenant)).valid).toBe(true);
  });
});

test("the costs of some days are looked for in a stretch of the chain alone, and what is wrong with them is found there", async () => {
  const bills = TenantRecords.for(asVerified({ tenant: tenant.id as TenantId, isolation: "pooled", actor: "system", kind: "operator", keyId: null, leaseId: null }), env).bills;
  const stretch = { since: Date.parse("2026-11-22T00:00:00Z"), upTo: Number(whole.cost_records.at(-1)?.seq) };
  const days = (from: string, through: string) => bills.unlikeCosts({ from, through }, stretch);
  expect(await Promise.all([days("2026-11-22", "2026-11-22"), days("2026-11-23", "2026-11-23"), bills.unlikeCosts(ALL_DAYS, EVERYWHERE)])).toEqual([null, null, null]);
  const second = whole.cost_records.findIndex(({ day }) => day === "2026-11-23");
  await replaceRows("cost_records", tenant, whole.cost_records.toSpliced(second, 1));
  const [first, last] = [await days("2026-11-22", "2026-11-22"), await days("2026-11-22", "2026-11-23")];
  await replaceRows("cost_records", tenant, whole.cost_records);
  expect([first, last]).toEqual([null, expect.objectContaining({ day: "2026-11-23", count: 1, last: "2026-11-23" })]);
  // A stretch that begins after the records, or ends before them, has none of them.
  for (const beside of [{ ...stretch, since: Date.parse("2026-11-24T00:00:00Z") }, { ...stretch, upTo: 1 }]) expect((await bills.unlikeCosts({ from: "2026-11-22", through: "2026-11-23" }, beside))?.day).toBe("2026-11-22");
});

test("sums that move while they are held right are no fault", async () => {
  const busy = await readyTenant();
  const leases = await Promise.all(Array.from({ length: 40 }, (_, i) => getLease(busy, { user: `user-${i % 4}` })));
  const asked: Promise<Awaited<ReturnType<typeof verify>>>[] = [];
  await Promise.all(leases.map(async (lease, i) => {
    await report(lease, { input_tokens: i });
    if (i % 4 === 0) asked.push(verify(busy));
  }));
  for (const { valid, discrepancies } of await Promise.all(asked)) expect({ valid, discrepancies }).toEqual({ valid: true, discrepancies: [] });
});
