/**
 * Exactness under concurrency: of 500 requests at once, exactly ⌊budget ÷ hold⌋ are admitted, whatever limit binds.
 * 10 seeds here, 100 in the soak; a failure names its seed.
 */
import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import type { Policy } from "../../../schema/contract/policy.ts";
import type { Answer } from "../../support/api.ts";
import { randomOf } from "../../support/random.ts";
import { DEFAULT_PRICES, type TestTenant, askLease, objectOf, quotaOf, readyTenant, report } from "../../support/tenant.ts";

const REQUESTS = 500;
const SEEDS = Array.from({ length: env.TEST_SOAK ? 100 : 10 }, (_, index) => index + 1);

const many = (count: number, ask: () => Promise<Answer>) => Promise.all(Array.from({ length: count }, ask));
const admitted = (answers: readonly Answer[]) => answers.filter((answer) => answer.status === 201);
const refusals = (answers: readonly Answer[]) => [...new Set(answers.filter((answer) => answer.status !== 201).map((answer) => `${answer.status} ${answer.code}`))];

interface Bound {
  readonly field: keyof Policy & string;
  readonly code: string;
  /** What one lease of `hold` tokens takes of the limit. */
  readonly takes: (hold: number) => number;
}

const BOUNDS: readonly Bound[] = [
  { field: "daily_token_limit", code: "daily-quota-exceeded", takes: (hold) => hold },
  { field: "monthly_token_limit", code: "monthly-quota-exceeded", takes: (hold) => hold },
  { field: "per_user_daily_tokens", code: "user-quota-exceeded", takes: (hold) => hold },
  { field: "tokens_per_minute", code: "tokens-per-minute-exceeded", takes: (hold) => hold },
  { field: "requests_per_minute", code: "requests-per-minute-exceeded", takes: () => 1 },
  { field: "concurrent_leases", code: "concurrent-leases-exceeded", takes: () => 1 },
  { field: "monthly_spend_limit", code: "spend-limit-exceeded", takes: (hold) => hold * DEFAULT_PRICES.output_nanos_per_token + DEFAULT_PRICES.call_nanos },
];

async function expectNothingOver(tenant: TestTenant, user: string): Promise<void> {
  for (const [name, balance] of Object.entries<{ limit: number | null; held: number; posted: number }>(await quotaOf(tenant, user))) {
    if (balance.limit !== null) expect(balance.held + balance.posted, name).toBeLessThanOrEqual(balance.limit);
  }
}

describe.each(SEEDS)("seed %i", (seed) => {
  const random = randomOf(seed);
  const bound = BOUNDS[seed % BOUNDS.length] as Bound;
  const hold = random.int(1, 40);
  const wanted = random.int(0, 400);
  const budget = wanted * bound.takes(hold) + random.int(0, bound.takes(hold) - 1);

  test(`${REQUESTS} at once under ${bound.field} = ${budget}, ${hold} tokens each: ${wanted} admitted`, async () => {
    const tenant = await readyTenant({ [bound.field]: budget });
    // A cold object: its very first requests, all at once.
    if (seed % 2 === 0) await evictDurableObject(objectOf(tenant.id));
    const answers = await many(REQUESTS, () => askLease(tenant, { tokens: hold, user: "u1" }));
    expect(admitted(answers)).toHaveLength(wanted);
    expect(refusals(answers)).toEqual([`429 ${bound.code}`]);
    await expectNothingOver(tenant, "u1");
  });
});

test("a new tenant's very first requests, all at once, are admitted exactly", async () => {
  const tenant = await readyTenant({ daily_token_limit: 1420 });
  const answers = await many(300, () => askLease(tenant, { tokens: 10 }));
  expect(admitted(answers)).toHaveLength(142);
});

test("what concurrent settlements give back is granted again, once", async () => {
  const tenant = await readyTenant({ daily_token_limit: 1000 });
  const first = admitted(await many(100, () => askLease(tenant, { tokens: 10 })));
  expect(first).toHaveLength(100);
  const [settled, second] = await Promise.all([
    Promise.all(first.map((answer) => report(answer.json, { input_tokens: 3 }))),
    many(200, () => askLease(tenant, { tokens: 10 })),
  ]);
  expect(settled.every((answer) => answer.status === 200)).toBe(true);
  const between = await quotaOf(tenant);
  expect(between.daily_token_limit).toMatchObject({ posted: 300, held: admitted(second).length * 10 });
  const third = await many(200, () => askLease(tenant, { tokens: 10 }));
  expect(admitted(second).length + admitted(third).length).toBe(70);
  expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ posted: 300, held: 700, remaining: 0 });
});

test("a denial changes no balance", async () => {
  const tenant = await readyTenant({ daily_token_limit: 50, requests_per_minute: 5 });
  const before = await quotaOf(tenant);
  const answers = await many(20, () => askLease(tenant, { tokens: 51 }));
  expect(refusals(answers)).toEqual(["429 daily-quota-exceeded"]);
  const after = await quotaOf(tenant);
  for (const field of Object.keys(before)) expect({ ...after[field], reset: null }, field).toEqual({ ...before[field], reset: null });
});
