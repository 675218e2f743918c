import { afterEach, describe, expect, it } from "vitest";
import { ControlPlane } from "../../../client/sdk/control-plane.ts";
import { clockOffsetMs, Prover } from "../../../client/sdk/prover.ts";
import { makeProofKey } from "../../../schema/contract/dpop-proof.ts";
import type { ProofClaims } from "../../../schema/contract/dpop.ts";
import { type Answer, type Heard, json, type ScriptedServer, serve } from "../../support/scripted-server.ts";
import { granted, refusal, settled } from "./examples.ts";

const REPORT = { seq: 0, request_id: "req_1", input_tokens: 1, output_tokens: 0, outcome: "ok", latency_ms: 12, backend: "wasm", cache: "hit", final: true } as never;
const part64 = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const tokenOf = (iat: number) => `${part64({ typ: "lease+jwt" })}.${part64({ iat })}.c2ln`;

let server: ScriptedServer;
afterEach(() => server?.[Symbol.asyncDispose]());

/** Grants leases with the nonce `n1` and the time `iat`; the rest is the test's. */
async function bound(rest: Answer, iat = Math.floor(Date.now() / 1000)) {
  server = await serve((response, heard) => (heard.path === "/v1/leases" ? json(response, 201, granted({ lease: tokenOf(iat) }), { "DPoP-Nonce": "n1" }) : rest(response, heard)));
  const key = await makeProofKey();
  return { key, api: new ControlPlane(server.url, new Prover(Promise.resolve({ key }))) };
}

const claimsOf = ({ headers }: Heard) => JSON.parse(Buffer.from(String(headers["dpop"]).split(".")[1] ?? "", "base64url").toString()) as ProofClaims;
const leased = () => server.heard.filter(({ path }) => path !== "/v1/leases");

describe("a bound lease", () => {
  it("is asked for with the key's thumbprint and presented with a proof for the very request", async () => {
    const { key, api } = await bound((response) => json(response, 200, settled(1)));
    const grant = await api.createLease("lh_pk_acme_x", { model: "ocr", purpose: "inference", tokens: 200 });
    await api.reportUsage(grant, REPORT);
    expect(server.heard[0]?.body).toMatchObject({ dpop_jkt: key.jkt });
    expect(server.heard[0]?.headers).not.toHaveProperty("dpop");
    expect(leased()[0]?.headers["authorization"]).toBe(`DPoP ${grant.lease}`);
    expect(claimsOf(leased()[0] as Heard)).toMatchObject({ htm: "POST", htu: `${server.url}/v1/leases/${grant.lease_id}/usage`, nonce: "n1" });
  });

  it("is presented with another proof each time", async () => {
    const { api } = await bound((response) => (leased().length === 1 ? response.destroy() : json(response, 200, settled(1))));
    const grant = await api.createLease("lh_pk_acme_x", { model: "ocr", purpose: "inference", tokens: 200 });
    await api.reportUsage(grant, REPORT).catch(() => undefined);
    await api.reportUsage(grant, REPORT);
    const ids = leased().map((heard) => claimsOf(heard).jti);
    expect(new Set(ids).size).toBe(2);
  });

  it("goes once more with the new nonce where the old one is not taken any more, and no third time", async () => {
    const { api } = await bound((response, heard) =>
      claimsOf(heard).nonce === "n3" ? json(response, 200, settled(1)) : json(response, 401, refusal("dpop-nonce-required"), { "DPoP-Nonce": leased().length === 1 ? "n2" : "n3" }),
    );
    const grant = await api.createLease("lh_pk_acme_x", { model: "ocr", purpose: "inference", tokens: 200 });
    await expect(api.reportUsage(grant, REPORT)).rejects.toMatchObject({ code: "dpop-nonce-required" });
    expect(leased().map((heard) => claimsOf(heard).nonce)).toEqual(["n1", "n2"]);
    expect(await api.reportUsage(grant, REPORT)).toMatchObject({ state: "settled" });
  });

  it("is reported without a pause, so that the request leaves a page that goes away", async () => {
    const { api } = await bound((response) => json(response, 200, settled(1)));
    const grant = await api.createLease("lh_pk_acme_x", { model: "ocr", purpose: "inference", tokens: 200 });
    const { fetch: sent } = globalThis;
    let calls = 0;
    globalThis.fetch = (...args) => {
      calls++;
      return sent(...args);
    };
    try {
      const report = api.reportUsage(grant, REPORT);
      expect(calls).toBe(1);
      await report;
    } finally {
      globalThis.fetch = sent;
    }
  });

  it("is proved by the control plane's clock, however wrong this device's is", async () => {
    const iat = Math.floor(Date.now() / 1000) + 7200;
    const { api } = await bound((response) => json(response, 200, settled(1)), iat);
    await api.reportUsage(await api.createLease("lh_pk_acme_x", { model: "ocr", purpose: "inference", tokens: 200 }), REPORT);
    expect(Math.abs(claimsOf(leased()[0] as Heard).iat - iat)).toBeLessThanOrEqual(5);
  });
});

it.each([
  [tokenOf(1000), 400_000],
  ["token", null],
  ["a.b.c", null],
  [`x.${part64({ iat: "soon" })}.y`, null],
  [`x.${Buffer.from("null").toString("base64url")}.y`, null],
])("reads the clock off the lease %s", (lease, offset) => {
  expect(clockOffsetMs(lease, 600_000)).toBe(offset);
});
