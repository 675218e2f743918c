import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LeaseholdError } from "../../../client/errors.ts";
import { ControlPlane } from "../../../client/sdk/control-plane.ts";
import { LeaseDesk } from "../../../client/sdk/lease-desk.ts";
import { OfflineBook } from "../../../client/sdk/offline-book.ts";
import { ShortCalls } from "../../../client/sdk/text/short-calls.ts";
import type { LeaseCreate, UsageReport } from "../../../schema/contract/leases.ts";
import { json, type ScriptedServer, serve } from "../../support/scripted-server.ts";
import { granted, issuedAt, refusal, settled, unbound } from "./examples.ts";

const RAN = { latencyMs: 10, backend: "wasm", cache: "hit" } as const;
let server: ScriptedServer;
let desk: LeaseDesk;
let short: ShortCalls;
let most = Infinity;
/** By how much the device's clock is before the control plane's. */
let aheadMs = 0;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] }); // however slow the machine, a call comes soon
  most = Infinity;
  aheadMs = 0;
  let count = 0;
  server = await serve((response, { path, body }) => {
    if (path !== "/v1/leases") return json(response, 200, settled((body as UsageReport).input_tokens));
    const { tokens, calls = 1 } = body as { tokens: number; calls?: number };
    if (tokens > most) return json(response, 429, refusal("daily-quota-exceeded", { limit: most, remaining: most }));
    json(response, 201, { ...granted({ lease: issuedAt(Date.now() - aheadMs) }), lease_id: `ls_acme_${String(++count).padStart(24, "0")}`, hold: tokens, calls, expires_at: new Date(Date.now() - aheadMs + 300_000).toISOString() });
  });
  desk = new LeaseDesk({ api: new ControlPlane(server.url, unbound()), publishableKey: "lh_pk_acme_x", user: undefined, metadata: undefined, likelyBackend: "wasm", offline: new OfflineBook("acme"), onQuota: () => undefined, onReportFailed: () => undefined });
  short = ShortCalls.of(desk);
});
afterEach(async () => {
  vi.useRealTimers();
  await server[Symbol.asyncDispose]();
});
const aSecond = () => vi.advanceTimersByTimeAsync(1000);

const asked = () => server.heard.filter(({ path }) => path === "/v1/leases").map(({ body }) => (body as LeaseCreate).tokens);
const reports = () => server.heard.filter(({ path }) => path.endsWith("/usage")).map(({ path, body }) => ({ lease: Number(/ls_acme_0*(\d+)/.exec(path)?.[1]), tokens: (body as UsageReport).input_tokens, outcome: (body as UsageReport).outcome }));
const take = (tokens: number) => short.take({ model: "minilm", tokens, requestId: "req_1" });
const run = async (tokens: number) => {
  const held = await take(tokens);
  short.running(held, tokens);
  await short.done("minilm", held, tokens, RAN);
};

describe("short calls", () => {
  it("one that stays alone holds what it needs, and is reported at once", async () => {
    await run(10);
    expect([asked(), reports()]).toEqual([[10], [{ lease: 1, tokens: 10, outcome: "ok" }]]);
  });

  it("those that follow share a lease and a report; every token is counted once", async () => {
    for (const tokens of [10, 5, 7, 9]) await run(tokens);
    expect(asked()).toEqual([10, 5 + 80]);
    expect(reports()).toEqual([{ lease: 1, tokens: 10, outcome: "ok" }]);
    await aSecond();
    await expect.poll(reports, { timeout: 10_000 }).toEqual([{ lease: 1, tokens: 10, outcome: "ok" }, { lease: 2, tokens: 21, outcome: "ok" }]);
  });

  it("share a lease on a device whose clock is ahead of the control plane's", async () => {
    aheadMs = 10 * 60_000;
    for (const tokens of [10, 5, 7, 9]) await run(tokens);
    expect(asked()).toEqual([10, 5 + 80]);
  });

  it("where more is refused than a call needs, it gets what it needs", async () => {
    most = 20;
    await run(10);
    await run(10);
    expect(asked()).toEqual([10, 170, 10]);
    expect(reports().map(({ tokens }) => tokens)).toEqual([10, 10]);
  });

  it("each call is counted, those that run when the page goes away too; one that failed is not", async () => {
    const counted = () => server.heard.filter(({ path }) => path.endsWith("/usage")).map(({ body }) => (body as UsageReport).calls);
    await run(10);
    for (let count = 0; count < 4; count++) await run(2);
    const failing = await take(2);
    short.running(failing, 2);
    await short.failed("minilm", failing, 2, true, new LeaseholdError("runtime-crashed", "x"));
    const stopped = await take(2);
    short.running(stopped, 2);
    await short.failed("minilm", stopped, 2, true, new LeaseholdError("aborted", "x"));
    const running = await take(2);
    short.running(running, 2);
    await desk.abandonAll();
    expect(counted()).toEqual([1, 4 + 1 + 1]);
    expect(reports().at(-1)?.tokens).toBe(12);
  });

  it("a lease whose calls are used up gives way to the next", async () => {
    await run(10);
    await run(4000);
    for (let count = 0; count < 33; count++) await run(1);
    expect(asked()).toEqual([10, 4000 + 4096, 1 + 16]);
  });

  it("a lease that is used up gives way to the next", async () => {
    await run(10);
    for (let count = 0; count < 18; count++) await run(10);
    expect(asked()).toEqual([10, 170, 170]);
    await aSecond();
    await expect.poll(() => reports().reduce((sum, { tokens }) => sum + tokens, 0), { timeout: 10_000 }).toBe(190);
  });

  it("a page that goes away reports what was delivered and what runs, and nothing of it again later", async () => {
    await run(10);
    await run(4);
    const held = await take(6);
    short.running(held, 6);
    await desk.abandonAll();
    expect(reports()).toEqual([{ lease: 1, tokens: 10, outcome: "ok" }, { lease: 2, tokens: 10, outcome: "ok" }]);
    await short.done("minilm", held, 6, RAN);
    await run(3); // it came back: another lease
    await aSecond();
    await expect.poll(reports, { timeout: 10_000 }).toHaveLength(3);
    expect(reports().at(-1)).toEqual({ lease: 3, tokens: 3, outcome: "ok" });
  });

  it("a call that fails costs nothing, and those beside it what they used", async () => {
    await run(10);
    await run(4);
    const held = await take(6);
    short.running(held, 6);
    await short.failed("minilm", held, 6, true, new LeaseholdError("runtime-crashed", "x"));
    await aSecond();
    await expect.poll(reports, { timeout: 10_000 }).toEqual([{ lease: 1, tokens: 10, outcome: "ok" }, { lease: 2, tokens: 4, outcome: "ok" }]);
  });

  it("one that fails alone is reported as that", async () => {
    const held = await take(6);
    await short.failed("minilm", held, 6, false, new LeaseholdError("input-invalid", "x"));
    expect(reports()).toEqual([{ lease: 1, tokens: 0, outcome: "error" }]);
  });
});
