/**
 * The bill, over random lives: whatever was granted, reported, expired or revoked, at whatever prices, days, months and
 * time zones, the bill is the sum of the cost records, of the ledger's postings, and of what this test reckons by itself.
 */
import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { OPERATOR_KEY, api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { d1 } from "../../support/d1-tap.ts";
import { type Random, randomOf } from "../../support/random.ts";
import { type TestTenant, askLease, objectOf, provisionTenant, publishTinyModel, report } from "../../support/tenant.ts";

const SEEDS = env.TEST_SOAK ? 120 : 20;
const STEPS = env.TEST_SOAK ? 150 : 80;

const ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Apia", "Africa/Cairo"];
/** Minutes around which days and months end, and clocks change, in some of the zones. */
const INSTANTS = ["2026-10-24T22:00:00Z", "2026-10-31T09:55:00Z", "2026-10-31T18:10:00Z", "2026-10-31T23:58:00Z", "2026-11-01T03:59:00Z", "2026-11-30T23:50:00Z", "2026-12-31T22:59:00Z"];

interface Price {
  input: number;
  output: number;
  call: number;
}

interface Open {
  readonly lease: { lease_id: string; lease: string };
  readonly price: Price;
  readonly day: string;
  readonly model: string;
  readonly user: string;
  readonly hold: number;
  readonly until: number;
  used: number;
  called: boolean;
  seq: number;
}

interface Sums {
  tokens: number;
  calls: number;
  nanos: number;
}

const time = clock();

const dayIn = (zone: string, at: number) => new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short" }).format(at);

class Life {
  readonly tenant: TestTenant;
  readonly random: Random;
  readonly models = ["tiny", "other"];
  readonly prices = new Map<string, { at: number; price: Price }[]>();
  readonly open: Open[] = [];
  /** What this test reckons, by day, model and user. */
  readonly reckoned = new Map<string, Sums>();
  zone = "UTC";

  constructor(tenant: TestTenant, random: Random) {
    this.tenant = tenant;
    this.random = random;
    for (const model of this.models) this.prices.set(model, [{ at: 0, price: { input: 1, output: 2, call: 5 } }]);
  }

  priceOf(model: string, at: number): Price {
    const entries = (this.prices.get(model) ?? []).filter((entry) => entry.at <= at).sort((a, b) => a.at - b.at);
    return (entries.at(-1) as { price: Price }).price;
  }

  charge(open: Open, tokens: number, calls: number, nanos: number): void {
    const name = JSON.stringify([open.day, open.model, open.user]);
    const sums = this.reckoned.get(name) ?? { tokens: 0, calls: 0, nanos: 0 };
    this.reckoned.set(name, { tokens: sums.tokens + tokens, calls: sums.calls + calls, nanos: sums.nanos + nanos });
  }

  /** What no report named is charged at the dearer price, and the call with it where there was none. */
  endAll(which: (open: Open) => boolean): void {
    for (const open of this.open.filter(which)) {
      const rest = open.hold - open.used;
      const { input, output, call } = open.price;
      this.charge(open, rest, open.called ? 0 : 1, rest * Math.max(input, output) + (open.called ? 0 : call));
      this.open.splice(this.open.indexOf(open), 1);
    }
  }

  async grant(): Promise<void> {
    const { random } = this;
    const model = random.pick(this.models);
    const user = random.pick(["", "ann", "bob"]);
    const tokens = random.int(1, 500);
    const ttl = random.pick([5, 60, 300]);
    const now = Date.now();
    const answer = await askLease(this.tenant, { model, tokens, ttl_s: ttl, ...(user && { user }) });
    expectStatus(answer, 201);
    const until = (Math.floor(now / 1000) + ttl) * 1000;
    this.open.push({ lease: answer.json, price: this.priceOf(model, now), day: dayIn(this.zone, now), model, user, hold: tokens, until, used: 0, called: false, seq: 0 });
  }

  async report(): Promise<void> {
    const { random } = this;
    if (this.open.length === 0) return;
    const open = random.pick(this.open);
    const left = open.hold - open.used;
    const input = random.int(0, left);
    const output = random.int(0, left - input);
    const outcome = random.pick(["ok", "ok", "error", "aborted"]);
    const final = random.int(0, 1) === 1;
    const answer = await report(open.lease, { seq: open.seq++, input_tokens: input, output_tokens: output, outcome, final }, { key: this.tenant.secret });
    expectStatus(answer, 200);
    const calls = !open.called && (outcome === "ok" || input + output > 0) ? 1 : 0;
    const { price } = open;
    this.charge(open, input + output, calls, input * price.input + output * price.output + calls * price.call);
    open.used += input + output;
    open.called ||= calls === 1;
    if (final) this.open.splice(this.open.indexOf(open), 1);
  }

  async setPrice(): Promise<void> {
    const { random } = this;
    const model = random.pick(this.models);
    const price = { input: random.int(0, 50), output: random.int(0, 50), call: random.int(0, 500) };
    const at = Date.now() + random.pick([0, 1, 60_000, 86_400_000]);
    const body = { input_nanos_per_token: price.input, output_nanos_per_token: price.output, call_nanos: price.call, effective_at: new Date(at).toISOString() };
    expectStatus(await api.post(`/v1/tenants/${this.tenant.id}/models/${model}/prices`, { key: this.tenant.admin, body }), 201);
    const entries = this.prices.get(model) as { at: number; price: Price }[];
    this.prices.set(model, [...entries.filter((entry) => entry.at !== at), { at, price }]);
  }

  async moveZone(): Promise<void> {
    this.zone = this.random.pick(ZONES);
    expectStatus(await api.put(`/v1/tenants/${this.tenant.id}/policy`, { key: OPERATOR_KEY, body: { time_zone: this.zone } }), 200);
  }

  async disable(): Promise<void> {
    for (const enabled of [false, true]) expectStatus(await api.patch(`/v1/tenants/${this.tenant.id}`, { key: OPERATOR_KEY, body: { enabled } }), 200);
    this.endAll(() => true);
  }

  pass(ms: number): void {
    time.advance(ms);
    this.endAll(({ until }) => until <= Date.now());
  }

  /** Only what runs can be evicted. */
  async evict(): Promise<void> {
    await runInDurableObject(objectOf(this.tenant.id), () => undefined);
    await evictDurableObject(objectOf(this.tenant.id));
  }

  async step(): Promise<void> {
    const { random } = this;
    const kind = random.int(0, 99);
    if (kind < 40) return this.grant();
    if (kind < 70) return this.report();
    if (kind < 82) return this.pass(random.pick([1, 999, 4_000, 61_000, 301_000, 3_600_000, 43_200_000, 86_400_000]));
    if (kind < 88) return this.setPrice();
    if (kind < 91) return this.moveZone();
    if (kind < 92) return this.disable();
    if (kind < 95) return void (await runDurableObjectAlarm(objectOf(this.tenant.id)));
    if (kind < 97) return this.evict();
    // One call to D1 fails, before or after it was done: what waits is sent again.
    return d1.fail((call) => (call === 0 ? random.pick(["refuse", "lose"] as const) : null));
  }

  /** Holds every view of the money against every other. */
  async check(): Promise<void> {
    d1.heal();
    const at = `/v1/tenants/${this.tenant.id}`;
    const months = new Set([...this.reckoned.keys()].map((name) => (JSON.parse(name) as string[])[0]?.slice(0, 7) as string));
    const total = async (sql: string, month: string) => (await env.DB.prepare(sql).bind(this.tenant.id, `${month}-`, `${month}.`).first<Sums>()) as Sums;
    for (const month of months) {
      const mine = sumOf([...this.reckoned].filter(([name]) => (JSON.parse(name) as string[])[0]?.startsWith(month)).map(([, sums]) => sums));
      const bill = expectStatus(await api.get(`${at}/billing?period=${month}`, { key: this.tenant.reader }), 200).json;
      expect(asSums(bill, bill.total_cost), `${month}: the bill`).toEqual(mine);
      const lines = sumOf(bill.lines.map((line: { cost: { nanos: number } }) => asSums(line as never, line.cost)));
      expect(lines, `${month}: its lines`).toEqual(mine);
      for (const line of bill.lines) expect(line.total_tokens).toBe(line.input_tokens + line.output_tokens + line.unreported_tokens);
      expect(await total("SELECT sum(input_tokens + output_tokens + unreported_tokens) AS tokens, sum(calls) AS calls, sum(cost_nanos) AS nanos FROM cost_records WHERE tenant_id = ? AND day >= ? AND day < ?", month), `${month}: the cost records`).toEqual(mine);
      const posted = await runInDurableObject(objectOf(this.tenant.id), (_, state) =>
        state.storage.sql.exec<{ tokens: number; nanos: number }>("SELECT sum(posted) AS tokens, sum(posted_nanos) AS nanos FROM windows WHERE scope = 't' AND day >= ? AND day < ?", `${month}-`, `${month}.`).one(),
      );
      expect({ ...posted, calls: mine.calls }, `${month}: the ledger's postings`).toEqual(mine);
      for (const group of ["day", "model", "user"]) {
        const rows = expectStatus(await api.get(`${at}/usage?group_by=${group}&period=${month}`, { key: this.tenant.reader }), 200).json.data as { key: string; total_tokens: number; api_calls: number; cost: { nanos: number } }[];
        const place = { day: 0, model: 1, user: 2 }[group] as number;
        for (const row of rows) {
          const parts = [...this.reckoned].filter(([name]) => (JSON.parse(name) as string[])[0]?.startsWith(month) && (JSON.parse(name) as string[])[place] === row.key);
          expect(asSums(row, row.cost), `${month}: usage of ${group} ${row.key}`).toEqual(sumOf(parts.map(([, sums]) => sums)));
        }
        expect(sumOf(rows.map((row) => asSums(row, row.cost)))).toEqual(mine);
      }
    }
  }
}

const asSums = (row: { total_tokens: number; api_calls: number }, cost: { nanos: number }): Sums => ({ tokens: row.total_tokens, calls: row.api_calls, nanos: cost.nanos });
const sumOf = (all: readonly Sums[]): Sums => all.reduce((sum, one) => ({ tokens: sum.tokens + one.tokens, calls: sum.calls + one.calls, nanos: sum.nanos + one.nanos }), { tokens: 0, calls: 0, nanos: 0 });

const start = Date.now() % 1_000_000;

test.each(Array.from({ length: SEEDS }, (_, index) => start + index))("seed %i: one truth about the money", async (seed) => {
  const random = randomOf(seed);
  time.set(random.pick(INSTANTS));
  const tenant = await provisionTenant();
  const life = new Life(tenant, random);
  // By the tenant itself: what the operator publishes is a floor under later prices.
  for (const model of life.models) await publishTinyModel(tenant, { model, by: tenant.admin });
  await life.moveZone();
  for (let i = 0; i < STEPS; i++) {
    await life.step();
    if (i % 25 === 24) await life.check();
  }
  life.pass(86_400_000);
  await life.check();
  expect(life.reckoned.size).toBeGreaterThan(0);
}, 60_000);
