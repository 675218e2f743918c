/**
 * The tenant object evicted or aborted between any two steps, and in the middle of many: what was acknowledged stands,
 * nothing is doubled, and no window is ever above its limit. A failure names its seed.
 */
import { abortAllDurableObjects, evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { DEFAULT_POLICY, type Balance, type Policy, type Quota } from "../../../schema/contract/policy.ts";
import { Reference } from "../../unit/ledger/reference.ts";
import type { Answer } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { d1 } from "../../support/d1-tap.ts";
import { randomOf } from "../../support/random.ts";
import { type GrantedLease, askLease, objectOf, quotaOf, readyTenant, report } from "../../support/tenant.ts";

const time = clock();
const SEEDS = Array.from({ length: env.TEST_SOAK ? 40 : 4 }, (_, index) => index + 1);
const STEPS = 40;
const REFERENCE_PRICES = { input_nanos_per_token: 3, output_nanos_per_token: 7, call_nanos: 11 };
const POLICY: Policy = { ...DEFAULT_POLICY, daily_token_limit: 400, monthly_token_limit: 900, tokens_per_minute: 250, requests_per_minute: 12, concurrent_leases: 6, per_user_daily_tokens: 220, monthly_spend_limit: 6_000 };

/** Asks until an answer comes: an aborted object fails the call that it was serving. */
async function persistently(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (answer.status !== 503) return answer;
  }
}

describe.each(SEEDS)("seed %i", (seed) => {
  test(`${STEPS} steps with an eviction or an abort between any two of them agree with the reference`, async () => {
    const random = randomOf(seed);
    time.set("2040-11-20T10:00:00Z");
    const tenant = await readyTenant(POLICY, REFERENCE_PRICES);
    const reference = new Reference(REFERENCE_PRICES);
    const leases: GrantedLease[] = [];
    const users = ["u1", "u2", "u3"] as const;
    for (let step = 0; step < STEPS; step++) {
      const break_ = random.int(0, 2);
      if (break_ === 1) await evictDurableObject(objectOf(tenant.id));
      if (break_ === 2) await abortAllDurableObjects();
      reference.expire(Date.now());
      const kind = random.int(0, 9);
      if (kind <= 4 || leases.length === 0) {
        const ask = { tokens: random.int(1, 60), calls: random.int(1, 3), user: random.pick(users), key: "k", keyLimit: null, ttlSeconds: random.int(5, 120), graceSeconds: 0 };
        const wanted = reference.grant(ask, POLICY, Date.now());
        const answer = await persistently(() => askLease(tenant, { tokens: ask.tokens, calls: ask.calls, user: ask.user, ttl_s: ask.ttlSeconds }, { idempotencyKey: `step-${step}` }));
        expect(answer.code ?? leases.length, `step ${step}`).toBe(wanted);
        if (answer.status === 201) leases.push(answer.json);
      } else if (kind <= 7) {
        const number = random.int(0, leases.length - 1);
        const usage = { input: random.int(0, 25), output: random.int(0, 25), calls: random.pick([null, 0, 1, 2]), ran: random.int(0, 1) === 1, final: random.int(0, 1) === 1 };
        const wanted = reference.report(number, usage);
        const body = { seq: step, input_tokens: usage.input, output_tokens: usage.output, ...(usage.calls !== null && { calls: usage.calls }), outcome: usage.ran ? "ok" : "error", final: usage.final };
        const answer = await persistently(() => report(leases[number] as GrantedLease, body, { key: tenant.secret }));
        expect(answer.code ?? "ok", `step ${step}`).toBe(wanted);
      } else {
        time.advance(random.int(0, 40_000));
        reference.expire(Date.now());
      }
      const quota = (await quotaOf(tenant, "u1")) as Quota;
      const sums = reference.sums({ user: "u1", key: "k" }, POLICY, Date.now());
      const both = ({ held, posted }: Pick<Balance, "held" | "posted">) => [held, posted];
      expect([quota.daily_token_limit, quota.monthly_token_limit, quota.per_user_daily_tokens as Balance, quota.tokens_per_minute, quota.monthly_spend_limit].map(both), `after step ${step}`).toEqual(
        [sums.day, sums.month, sums.user, sums.minute, sums.spend].map(both),
      );
      expect([quota.requests_per_minute.posted, quota.concurrent_leases.held], `after step ${step}`).toEqual([sums.requests, sums.concurrent]);
    }
  });

  test("aborted in the middle of 100 grants at once: what was acknowledged is held, and asking again doubles nothing", async () => {
    const tenant = await readyTenant({ daily_token_limit: 700 });
    const ask = (index: number) => askLease(tenant, { tokens: 10 }, { idempotencyKey: `grant-${index}` });
    const first = Array.from({ length: 100 }, (_, index) => ask(index));
    await new Promise((resolve) => setTimeout(resolve, randomOf(seed).int(0, 60)));
    await abortAllDurableObjects();
    const acknowledged = (await Promise.all(first)).filter((answer) => answer.status === 201);
    const after = (await quotaOf(tenant)).daily_token_limit;
    expect(after.held).toBeGreaterThanOrEqual(acknowledged.length * 10);
    expect(after.held).toBeLessThanOrEqual(700);

    const again = await Promise.all(Array.from({ length: 100 }, (_, index) => persistently(() => ask(index))));
    const granted = again.filter((answer) => answer.status === 201);
    expect(granted).toHaveLength(70);
    expect(new Set(granted.map((answer) => answer.json.lease_id)).size).toBe(70);
    for (const answer of acknowledged) expect(granted.map((one) => one.json.lease_id)).toContain(answer.json.lease_id);
    expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 700, posted: 0, remaining: 0 });
  });
});

test.each(["hang", "refuse", "late", "lose"] as const)("with a D1 that would %s, 500 requests at once are admitted exactly, and none waits for it", async (fault) => {
  const tenant = await readyTenant({ daily_token_limit: 1_005 });
  d1.fail(() => fault);
  try {
    const started = performance.now();
    const answers = await Promise.all(Array.from({ length: 500 }, () => askLease(tenant, { tokens: 10 })));
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(100);
    expect(performance.now() - started).toBeLessThan(9_000); // the projection gives D1 ten seconds
    expect((await quotaOf(tenant)).daily_token_limit).toMatchObject({ held: 1000, remaining: 5 });
  } finally {
    d1.heal();
    d1.release();
  }
});
