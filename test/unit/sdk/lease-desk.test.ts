import { afterEach, describe, expect, it } from "vitest";
import { ControlPlane } from "../../../client/sdk/control-plane.ts";
import { LeaseDesk } from "../../../client/sdk/lease-desk.ts";
import { OfflineBook } from "../../../client/sdk/offline-book.ts";
import { viewQuota } from "../../../client/sdk/quota.ts";
import { LeaseholdError } from "../../../client/errors.ts";
import type { UsageReport } from "../../../schema/contract/leases.ts";
import type { Quota } from "../../../schema/contract/policy.ts";
import { type Answer, json, type ScriptedServer, serve } from "../../support/scripted-server.ts";
import { granted, refusal, settled, unbound } from "./examples.ts";

const OK = { outcome: "ok", inputTokens: 200, outputTokens: 0, latencyMs: 12.6, backend: "wasm", cache: "hit" } as const;

let server: ScriptedServer;
afterEach(() => server[Symbol.asyncDispose]());

const grantAll: Answer = (response) => json(response, 201, granted());

async function desk(onReport: Answer, onAsk: Answer = grantAll) {
  server = await serve((response, heard) => (heard.path === "/v1/leases" ? onAsk : onReport)(response, heard));
  const quotas: Quota[] = [];
  const failures: LeaseholdError[] = [];
  const made = new LeaseDesk({
    api: new ControlPlane(server.url, unbound()),
    publishableKey: "lh_pk_acme_x",
    user: "user-456",
    metadata: { region: "eu" },
    likelyBackend: "wasm",
    offline: new OfflineBook("acme"),
    onQuota: (quota) => quotas.push(quota),
    onReportFailed: (error) => failures.push(error),
  });
  return { desk: made, failures, left: () => quotas.map((quota) => viewQuota(quota).remaining) };
}

const takeAll: Answer = (response, { body }) => json(response, 200, settled((body as UsageReport).input_tokens));
const reports = () => server.heard.filter(({ path }) => path.endsWith("/usage")).map(({ body }) => body as UsageReport);

describe("asking", () => {
  it("names the user, the metadata and the purpose", async () => {
    const { desk: it } = await desk(takeAll);
    await it.ask({ model: "ocr", tokens: 200, requestId: "req_1" });
    await it.ask({ model: "ocr", requestId: "req_2" });
    expect(server.heard.map(({ body }) => body)).toEqual([
      { model: "ocr", purpose: "inference", tokens: 200, user: "user-456", request_id: "req_1", metadata: { region: "eu" } },
      { model: "ocr", purpose: "download", user: "user-456", request_id: "req_2", metadata: { region: "eu" } },
    ]);
  });
});

describe("whoever gives up", () => {
  it("is let go at once, and the lease that is granted after all goes back", async () => {
    let grant: () => void = () => undefined;
    const { desk: it, left } = await desk(takeAll, (response) => {
      grant = () => json(response, 201, granted());
    });
    const stopping = new AbortController();
    const asked = it.ask({ model: "chat", tokens: 200, requestId: "req_1", signal: stopping.signal });
    await expect.poll(() => server.heard).toHaveLength(1);
    stopping.abort();
    await expect(asked).rejects.toMatchObject({ code: "aborted" });
    expect(reports()).toEqual([]);
    grant();
    await expect.poll(reports).toMatchObject([{ request_id: "req_1", outcome: "aborted", input_tokens: 0, output_tokens: 0, final: true }]);
    await expect.poll(left).toEqual([800, 1000]);
  });

  it("before anything was asked asks for nothing", async () => {
    const { desk: it } = await desk(takeAll);
    await expect(it.ask({ model: "chat", tokens: 200, requestId: "req_1", signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
    expect(server.heard).toEqual([]);
  });
});

describe("settling", () => {
  it("reports whole milliseconds and tokens, final, under the call's id", async () => {
    const { desk: it, left } = await desk(takeAll);
    await it.settle(await it.ask({ model: "ocr", tokens: 200, requestId: "req_1" }), OK);
    expect(reports()).toEqual([{ seq: 0, request_id: "req_1", input_tokens: 200, output_tokens: 0, outcome: "ok", latency_ms: 13, backend: "wasm", cache: "hit", final: true }]);
    expect(left()).toEqual([800]);
  });

  it("never reports more than the hold", async () => {
    const { desk: it } = await desk(takeAll);
    await it.settle(await it.ask({ model: "ocr", tokens: 200, requestId: "req_1" }), { ...OK, inputTokens: 190, outputTokens: 50 });
    expect(reports()[0]).toMatchObject({ input_tokens: 190, output_tokens: 10 });
  });

  it("gives the hold back with 0 tokens and the code where nothing ran", async () => {
    const { desk: it, left } = await desk(takeAll);
    await it.abandon(await it.ask({ model: "ocr", tokens: 200, requestId: "req_1" }), new LeaseholdError("runtime-crashed", "."));
    expect(reports()[0]).toMatchObject({ outcome: "error", error_code: "runtime-crashed", input_tokens: 0, final: true });
    expect(left()).toEqual([800, 1000]);
  });

  it("charges a run that was stopped after it had begun", async () => {
    const { desk: it } = await desk(takeAll);
    const lease = await it.ask({ model: "ocr", tokens: 200, requestId: "req_1" });
    lease.runningTokens = 200;
    await it.abandon(lease, new LeaseholdError("aborted", "."));
    expect(reports()[0]).toMatchObject({ outcome: "aborted", input_tokens: 200 });
    expect(reports()[0]).not.toHaveProperty("error_code");
  });

  it("sends a report again that found no connection, and settles once", async () => {
    const { desk: it, failures } = await desk((response, heard) => (reports().length === 1 ? response.destroy() : takeAll(response, heard)));
    const lease = await it.ask({ model: "ocr", tokens: 200, requestId: "req_1" });
    await it.settle(lease, OK);
    expect(reports()).toHaveLength(2);
    await it.settle(lease, { ...OK, inputTokens: 1 });
    expect(reports()).toHaveLength(2);
    expect(failures).toEqual([]);
  });

  it("tells of a report that came too late, and does not throw: the result stands", async () => {
    const { desk: it, failures } = await desk((response) => json(response, 401, refusal("lease-expired")));
    await it.settle(await it.ask({ model: "ocr", tokens: 200, requestId: "req_1" }), OK);
    expect(failures.map(({ code }) => code)).toEqual(["lease-expired"]);
  });

  it("does not keep a call waiting for a report that nobody answers", async () => {
    const { desk: it } = await desk(() => undefined);
    const lease = await it.ask({ model: "ocr", tokens: 200, requestId: "req_1" });
    const began = performance.now();
    await it.settle(lease, OK);
    expect(performance.now() - began).toBeLessThan(4000);
  });
});

describe("a page that goes away", () => {
  it("reports every open lease as aborted, and none twice", async () => {
    const { desk: it } = await desk(takeAll);
    const [first, second] = await Promise.all([1, 2].map((n) => it.ask({ model: "ocr", tokens: 200, requestId: `req_${n}` })));
    if (!first || !second) throw new Error("two leases were asked for");
    await it.settle(first, OK);
    await it.abandonAll();
    await it.abandonAll();
    await it.settle(second, OK);
    expect(reports().map(({ request_id, outcome }) => [request_id, outcome])).toEqual([
      ["req_1", "ok"],
      ["req_2", "aborted"],
    ]);
  });
});
