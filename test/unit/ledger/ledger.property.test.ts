/**
 * Model-based: random lives of many leases on the ledger's own parts, each step compared with the reference.
 * A failure prints fast-check's seed and the shortest life that it found; `LEDGER_SEED=<n>` repeats it. `LEDGER_STEPS=<n>`: another number of steps.
 *
 * - Every decision is the reference's, and every window's sums are, after every step.
 * - No step takes a window above its limit. After a drain nothing is held, and what is available is limit − posted.
 * - No 60 seconds of the whole life, at any offset, hold more than the per-minute limits.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Policy, policy } from "../../../schema/contract/policy.ts";
import { type Books, type Window, remainingOf } from "../../../worker/ledger/decide-hold.ts";
import { LOW_PRICES, PRICES, Reference, type ReferencePrices } from "./reference.ts";
import { type Ledger, storedLedger } from "./stored-ledger.ts";

const SOAK = process.env.LEASEHOLD_SOAK === "1";
const START = Date.parse("2026-10-24T20:00:00Z"); // hours before Berlin's clocks go back, a week before the month ends

/** What lives are made of: how large amounts are, and what a token costs. */
interface Scale {
  readonly prices: ReferencePrices;
  /** An amount of `min` to `max` units. */
  readonly amount: (min: number, max: number) => fc.Arbitrary<number>;
}

const SMALL: Scale = { prices: PRICES, amount: (min, max) => fc.integer({ min, max }) };

/** 600 units, the widest limit of a day, are all that a number holds exactly; a few more or less, to meet limits to the last one. */
const UNIT = Math.floor(Number.MAX_SAFE_INTEGER / 600);
const LARGE: Scale = {
  prices: LOW_PRICES,
  amount: (min, max) => fc.tuple(fc.integer({ min, max }), fc.integer({ min: -2, max: 3 })).map(([units, more]) => Math.min(Number.MAX_SAFE_INTEGER, Math.max(min, units * UNIT + more))),
};

const user = fc.constantFrom(null, "u1", "u2", "u3");
const key = fc.constantFrom("k1", "k2");
const stepOf = ({ amount }: Scale) => fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("grant" as const), tokens: fc.oneof({ weight: 9, arbitrary: amount(1, 60) }, { weight: 1, arbitrary: fc.constant(0) }), calls: fc.integer({ min: 1, max: 4 }), user, key, ttlSeconds: fc.integer({ min: 5, max: 300 }), graceSeconds: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 100_000 }) }) }) },
  { weight: 7, arbitrary: fc.record({ kind: fc.constant("report" as const), lease: fc.nat(), input: amount(0, 30), output: amount(0, 30), calls: fc.option(fc.integer({ min: 0, max: 3 }), { nil: null }), ran: fc.boolean(), final: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 0, max: 90_000 }), fc.constant(86_400_000)), toWholeSecond: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("evict" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("revoke" as const, "sweep" as const) }) },
);
type Step = ReturnType<typeof stepOf> extends fc.Arbitrary<infer T> ? T : never;

const orNone = (limit: fc.Arbitrary<number>) => fc.option(limit, { nil: null, freq: 3 });
const policiesOf = ({ amount }: Scale) => fc.record({
  daily_token_limit: orNone(amount(0, 600)), monthly_token_limit: orNone(amount(0, 2_000)), tokens_per_minute: orNone(amount(0, 300)), requests_per_minute: orNone(fc.integer({ min: 0, max: 15 })),
  concurrent_leases: orNone(fc.integer({ min: 0, max: 12 })), per_user_daily_tokens: orNone(amount(0, 300)), monthly_spend_limit: orNone(amount(0, 15_000)), time_zone: fc.constantFrom("UTC", "Europe/Berlin", "Asia/Kathmandu"),
});
const keyLimitsOf = ({ amount }: Scale) => fc.record({ k1: orNone(amount(0, 300)), k2: orNone(amount(0, 300)) });

/** Steps of the longest life; half of it on average. */
const LIFE = 300;
let steps = 0;

function live(prices: ReferencePrices, wanted: Policy, limits: Record<string, number | null>, life: readonly Step[]): void {
  const ledger = storedLedger(prices);
  const reference = new Reference(prices);
  const keyLimit = (name: string) => limits[name] ?? null;
  let now = START;
  for (const [index, one] of life.entries()) {
    steps += 1;
    // As the room does before every call: what is due is booked first. Every third step reads without a sweep before it.
    ledger.sweep(now);
    reference.expire(now);
    switch (one.kind) {
      case "grant": {
        const ask = { ...one, keyLimit: keyLimit(one.key) };
        expect(ledger.grant(ask, wanted, now), `step ${index}`).toBe(reference.grant(ask, wanted, now));
        break;
      }
      case "report": {
        if (reference.leases.length === 0) break;
        const number = one.lease % reference.leases.length;
        expect(ledger.report(number, one, now), `step ${index}`).toBe(reference.report(number, one));
        break;
      }
      case "wait":
        now += one.ms;
        // Leases end on whole seconds: half of the waits stop at one.
        if (one.toWholeSecond) now = Math.ceil(now / 1000) * 1000;
        ledger.sweep(now);
        reference.expire(now);
        break;
      case "evict":
        ledger.evict(now);
        break;
      case "revoke":
        ledger.revokeAll(now);
        reference.revokeAll();
        break;
      case "sweep":
        break;
    }
    const who = one.kind === "grant" ? one : { user: "u1", key: "k1" };
    compare(ledger.books({ ...who, keyLimit: keyLimit(who.key) }, wanted, now), reference.sums(who, wanted, now), index);
  }
  drain(ledger, reference, wanted, limits, now);
  expectNoFullMinute(reference, wanted);
}

function compare(books: Books, sums: ReturnType<Reference["sums"]>, index: number): void {
  const facts: [string, Window | null, { held: number; posted: number }][] = [
    ["day", books.day, sums.day],
    ["month", books.month, sums.month],
    ["user", books.userDay, sums.user],
    ["key", books.keyDay, sums.key],
    ["key's month", books.key?.month ?? null, sums.keyMonth],
    ["key's minute", books.key?.minuteTokens ?? null, sums.keyMinute],
    ["key's requests", books.key?.minuteRequests ?? null, { held: 0, posted: sums.keyRequests }],
    ["key's concurrent", books.key?.concurrent ?? null, { held: sums.keyConcurrent, posted: 0 }],
    ["spend", books.spendMonth, sums.spend],
    ["minute", books.minuteTokens, sums.minute],
    ["requests", books.minuteRequests, { held: 0, posted: sums.requests }],
    ["concurrent", books.concurrent, { held: sums.concurrent, posted: 0 }],
  ];
  for (const [name, window, wanted] of facts) {
    if (window === null) continue;
    // Plain comparisons: an `expect` for each of eight windows in each of a million steps would be most of the time.
    if (window.held !== wanted.held || window.posted !== wanted.posted) throw new Error(`step ${index}: ${name} is ${window.held} + ${window.posted}, should be ${wanted.held} + ${wanted.posted}`);
    if (window.held < 0 || window.posted < 0) throw new Error(`step ${index}: ${name} is below 0`);
    if (window.limit !== null && window.held + window.posted > window.limit) throw new Error(`step ${index}: ${name} holds ${window.held} + ${window.posted} of ${window.limit}`);
  }
}

/** Everything is revoked: nothing stays held anywhere, and what is available is the limit less what was posted. */
function drain(ledger: Ledger, reference: Reference, wanted: Policy, limits: Record<string, number | null>, now: number): void {
  ledger.revokeAll(now);
  reference.revokeAll();
  for (const who of [{ user: "u1", key: "k1" }, { user: "u2", key: "k2" }, { user: "u3", key: "k1" }]) {
    const books = ledger.books({ ...who, keyLimit: limits[who.key] ?? null }, wanted, now);
    compare(books, reference.sums(who, wanted, now), -1);
    const { tenant: _, key: ofKey, ...windows } = books;
    for (const [name, window] of [...Object.entries(windows), ...Object.entries(ofKey ?? {})] as [string, Window | null][]) {
      expect(window?.held ?? 0, name).toBe(0);
      if (window && window.limit !== null) expect(remainingOf(window), name).toBe(window.limit - window.posted);
    }
  }
}

/**
 * At no moment had 60 seconds admitted more requests than the limit, nor more tokens than were used or lapsed under it:
 * by the grants alone, whatever the ledger says. To be asked when all leases are resolved.
 */
function expectNoFullMinute(reference: Reference, { requests_per_minute, tokens_per_minute }: Policy): void {
  for (const { at } of reference.leases) {
    const second = Math.floor(at / 1000);
    const within = reference.leases.filter((lease) => Math.floor(lease.at / 1000) <= second && Math.floor(lease.at / 1000) > second - 60);
    if (requests_per_minute !== null) expect(within.length).toBeLessThanOrEqual(requests_per_minute);
    const tokens = within.reduce((sum, lease) => sum + BigInt(reference.tokens(lease)), 0n);
    if (tokens_per_minute !== null && tokens > BigInt(tokens_per_minute)) throw new Error(`${tokens} tokens of ${tokens_per_minute} in the minute to ${second}`);
  }
}

const wanted = Number(process.env.LEDGER_STEPS ?? (SOAK ? 1_000_000 : 100_000));
const seed = process.env.LEDGER_SEED === undefined ? (Date.now() ^ (Math.random() * 0x1_0000_0000)) >>> 0 : Number(process.env.LEDGER_SEED);

test.each([
  [`${wanted} steps of small amounts, seed ${seed}`, SMALL, wanted, seed],
  [`${wanted / 5} steps of amounts near 2^53, seed ${seed + 1}`, LARGE, wanted / 5, seed + 1],
] as const)("%s: all steps agree with the reference ", { timeout: 3_600_000 }, (_, scale, least, from) => {
  steps = 0;
  fc.assert(
    fc.property(policiesOf(scale), keyLimitsOf(scale), fc.array(stepOf(scale), { minLength: 1, maxLength: LIFE, size: "max" }), (limits, ofKeys, life) => {
      live(scale.prices, policy.parse(limits), ofKeys, life);
    }),
    // Half of a life is its average; the 40 more are room for chance where there are few lives.
    { seed: from, numRuns: Math.ceil((least / LIFE) * 2.4) + 40 },
  );
  expect(steps).toBeGreaterThanOrEqual(least);
});
