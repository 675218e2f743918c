import { afterEach, describe, expect, it } from "vitest";
import { ControlPlane } from "../../../client/sdk/control-plane.ts";
import { LeaseholdError } from "../../../client/errors.ts";
import { type Answer, json, type ScriptedServer, serve } from "../../support/scripted-server.ts";
import { granted, refusal, settled, unbound } from "./examples.ts";

const ASK = { model: "ocr", purpose: "inference", tokens: 200 } as const;

let server: ScriptedServer;
async function plane(answer: Answer): Promise<ControlPlane> {
  server = await serve(answer);
  return new ControlPlane(server.url, unbound());
}
afterEach(() => server[Symbol.asyncDispose]());

async function errorOf(work: Promise<unknown>): Promise<LeaseholdError> {
  const error: unknown = await work.then(() => "no error", (thrown: unknown) => thrown);
  if (error instanceof LeaseholdError) return error;
  throw new Error(`expected a LeaseholdError, got ${String(error)}`);
}

describe("asking for a manifest", () => {
  it("is aborted where the signal fires, before and while it waits", async () => {
    const api = await plane(() => undefined);
    expect((await errorOf(api.manifest(granted(), AbortSignal.abort()))).code).toBe("aborted");
    expect((await errorOf(api.manifest(granted(), AbortSignal.timeout(30)))).code).toBe("aborted");
  });
});

describe("asking for a lease", () => {
  it("sends the key and the ask, and gives the grant", async () => {
    const api = await plane((response) => json(response, 201, granted()));
    expect(await api.createLease("lh_pk_acme_x", ASK)).toEqual(granted());
    const [heard] = server.heard;
    expect(heard).toMatchObject({ method: "POST", path: "/v1/leases", body: ASK });
    expect(heard?.headers).toMatchObject({ authorization: "Bearer lh_pk_acme_x", "content-type": "application/json" });
  });

  it("throws the refusal with its limit, what is left, when it resets and when to come back", async () => {
    const stated = refusal("daily-quota-exceeded", { limit: 1000, remaining: 3, resets_at: "2026-11-23T00:00:00Z", request_id: "req_9" });
    const api = await plane((response) => json(response, 429, stated, { "Content-Type": "application/problem+json", "Retry-After": "3600" }));
    expect(await errorOf(api.createLease("lh_pk_acme_x", ASK))).toMatchObject({
      code: "daily-quota-exceeded",
      message: "What to do.",
      limit: 1000,
      remaining: 3,
      resetsAt: "2026-11-23T00:00:00Z",
      retryAfterSeconds: 3600,
      requestId: "req_9",
    });
  });

  it("asks once more under the same idempotency key when the connection breaks", async () => {
    const api = await plane((response) => (server.heard.length === 1 ? response.destroy() : json(response, 201, granted())));
    expect(await api.createLease("lh_pk_acme_x", ASK)).toEqual(granted());
    const keys = server.heard.map(({ headers }) => headers["idempotency-key"]);
    expect(keys).toHaveLength(2);
    expect(keys[0]).toBeTruthy();
    expect(keys[0]).toBe(keys[1]);
  });

  it("is network-failed where nobody answers", async () => {
    const api = await plane((response) => response.destroy());
    expect((await errorOf(api.createLease("lh_pk_acme_x", ASK))).code).toBe("network-failed");
  });

  it.each<[string, Answer]>([
    ["a page of HTML", (response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html>")],
    ["an empty body", (response) => response.writeHead(201).end()],
    ["another object", (response) => json(response, 201, { lease: "token" })],
    ["half a token amount", (response) => json(response, 201, { ...granted(), hold: 0.5 })],
    ["an error that is no problem document", (response) => json(response, 400, { error: "no" })],
    ["a code that nobody knows", (response) => json(response, 418, { ...refusal("not-found"), code: "teapot" })],
    ["a 500 of a proxy", (response) => response.writeHead(500).end("oops")],
  ])("is bad-response for %s", async (_, answer) => {
    const api = await plane(answer);
    expect((await errorOf(api.createLease("lh_pk_acme_x", ASK))).code).toBe("bad-response");
  });

  it("is unavailable for a proxy's 503 page, with its Retry-After", async () => {
    const api = await plane((response) => response.writeHead(503, { "Content-Type": "text/html", "Retry-After": "7" }).end("<h1>503</h1>"));
    expect(await errorOf(api.createLease("lh_pk_acme_x", ASK))).toMatchObject({ code: "unavailable", retryAfterSeconds: 7 });
  });
});

describe("fetching", () => {
  it("never sends a lease to an address that is not the service's own", async () => {
    const api = await plane((response) => response.end("{}"));
    const error = await errorOf(api.manifest(granted({ manifestUrl: "https://elsewhere.example/manifest" })));
    expect(error.code).toBe("bad-response");
    expect(server.heard).toEqual([]);
  });

  it("does not follow a redirect", async () => {
    const api = await plane((response) => response.writeHead(302, { Location: "https://elsewhere.example/" }).end());
    expect((await errorOf(api.manifest(granted()))).code).toBe("network-failed");
  });
});

it("reports usage with the lease as credential", async () => {
  const api = await plane((response) => json(response, 200, settled(150)));
  const report = { seq: 0, request_id: "req_1", input_tokens: 150, output_tokens: 0, outcome: "ok", latency_ms: 12, backend: "wasm", cache: "hit", final: true } as const;
  expect(await api.reportUsage(granted(), report as never)).toMatchObject({ state: "settled", used: 150 });
  expect(server.heard[0]).toMatchObject({ method: "POST", path: `/v1/leases/${granted().lease_id}/usage`, headers: { authorization: "Bearer token" }, body: report });
});
