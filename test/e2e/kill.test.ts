/**
 * Power cuts: workerd is killed under load and started again on the same state. Nothing that was acknowledged is lost,
 * nothing that is sent again is done twice, and D1 ends with exactly what the ledger holds.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { z } from "zod";
import { apiAt } from "../../cli/api.ts";
import { type Deployment, deploy } from "../../bench/support/deployment.ts";
import { BENCH_MODEL, BENCH_PRICES, type BenchTenant, makeTenant } from "../../bench/support/tenants.ts";
import { type LeaseGranted, leaseGranted, leaseState } from "../../schema/contract/leases.ts";
import { quota } from "../../schema/contract/policy.ts";
import { auditEvent, billing, page } from "../../schema/contract/records.ts";

const ROUNDS = process.env["LEASEHOLD_SOAK"] ? 200 : 20;
const HOLD = 100;
const CALLERS = 8;

/** One inference that a caller wants: the same key and body until it is acknowledged. */
interface Wish {
  readonly key: string;
  readonly used: number;
  granted?: LeaseGranted;
  reported?: true;
}

let deployment: Deployment;
let tenant: BenchTenant;
const wishes: Wish[] = [];

beforeAll(async () => {
  deployment = await deploy();
  tenant = await makeTenant(apiAt(deployment.url, deployment.operatorKey), "kill", { daily_token_limit: 1_000_000_000 });
});

afterAll(() => deployment.remove());

test(`${ROUNDS} kills under load lose nothing and double nothing`, { timeout: ROUNDS * 15_000 }, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const stop = new AbortController();
    const callers = Array.from({ length: CALLERS }, (_, caller) => call(`${round}-${caller}`, stop.signal));
    await new Promise((resolve) => setTimeout(resolve, 150 + Math.random() * 350));
    await deployment.kill();
    stop.abort();
    await Promise.all(callers);
    deployment = await deployment.restart();
    await Promise.all(wishes.filter((wish) => !wish.reported).map((wish) => fulfil(wish)));
  }

  expect(wishes.length).toBeGreaterThan(ROUNDS);
  expect(new Set(wishes.map((wish) => wish.granted?.lease_id)).size).toBe(wishes.length);

  const api = apiAt(deployment.url, tenant.key);
  const used = wishes.reduce((sum, wish) => sum + wish.used, 0);
  const balances = await api.get("/v1/tenants/kill/quota", quota);
  expect(balances.daily_token_limit).toMatchObject({ held: 0, posted: used });

  const bill = await api.get("/v1/tenants/kill/billing", billing);
  expect(bill.total_tokens).toBe(used);
  expect(bill.api_calls).toBe(wishes.length);
  expect(bill.total_cost.nanos).toBe(used * BENCH_PRICES.input_nanos_per_token + wishes.length * BENCH_PRICES.call_nanos);

  const seqs: number[] = [];
  const granted = new Set<unknown>();
  const executed = new Set<unknown>();
  for (let cursor: string | null = "0"; cursor !== null; ) {
    const events: z.infer<ReturnType<typeof page<typeof auditEvent>>> = await api.get(`/v1/tenants/kill/audit?limit=200&cursor=${cursor}`, page(auditEvent));
    for (const event of events.data) {
      seqs.push(event.seq);
      if (event.action === "LEASE_GRANTED") granted.add(event.details["lease_id"]);
      if (event.action === "INFERENCE_EXECUTED") executed.add(event.details["lease_id"]);
    }
    cursor = events.next_cursor;
  }
  expect(seqs).toEqual(seqs.map((_, at) => at + 1));
  expect(granted.size).toBe(wishes.length);
  expect(executed.size).toBe(wishes.length);
});

async function call(name: string, stop: AbortSignal): Promise<void> {
  for (let at = 0; !stop.aborted; at++) {
    const wish: Wish = { key: `${name}-${at}`, used: 1 + Math.floor(Math.random() * HOLD) };
    wishes.push(wish);
    try {
      await fulfil(wish);
    } catch (error) {
      if (!stop.aborted && !(error instanceof TypeError)) throw error; // the connection broke: it is sent again after the restart
      return;
    }
  }
}

/** Sends what is not acknowledged yet. An acknowledged grant must be the same lease when it is asked for again. */
async function fulfil(wish: Wish): Promise<void> {
  const api = apiAt(deployment.url, tenant.key);
  const headers = { "idempotency-key": wish.key, "content-type": "application/json" };
  const body = JSON.stringify({ model: BENCH_MODEL, tokens: HOLD });
  const response = await api.raw("/v1/leases", { method: "POST", headers, body });
  if (!response.ok) throw new Error(`POST /v1/leases: ${await response.text()}`);
  const answer = leaseGranted.parse(await response.json());
  if (wish.granted) expect(answer.lease_id).toBe(wish.granted.lease_id);
  wish.granted = answer;
  const report = { seq: 1, request_id: wish.key, input_tokens: wish.used, output_tokens: 0, outcome: "ok", latency_ms: 1, backend: "wasm", cache: "hit", final: true };
  const state = await api.post(`/v1/leases/${answer.lease_id}/usage`, report, leaseState);
  expect(state).toMatchObject({ state: "settled", used: wish.used });
  wish.reported = true;
}
