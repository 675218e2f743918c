import { afterEach, describe, expect, it, vi } from "vitest";
import { LeaseholdError } from "../../../client/errors.ts";
import type { GenerateNote } from "../../../client/runtime/tasks/text-generation/request.ts";
import { ControlPlane } from "../../../client/sdk/control-plane.ts";
import { LeaseDesk } from "../../../client/sdk/lease-desk.ts";
import { OfflineBook } from "../../../client/sdk/offline-book.ts";
import { LeaseChain, type Report } from "../../../client/sdk/text/lease-chain.ts";
import type { UsageReport } from "../../../schema/contract/leases.ts";
import { json, type ScriptedServer, serve } from "../../support/scripted-server.ts";
import { granted, refusal, settled, unbound } from "./examples.ts";

const REPORT: Report = { outcome: "ok", latencyMs: 5, backend: "wasm", cache: "hit" };

let server: ScriptedServer;
afterEach(() => server[Symbol.asyncDispose]());

/** Leases of 100 tokens; from the `refusedFrom`th on, none; from the `movedFrom`th on, for another revision. */
async function chain({ mostOutput = null, refusedFrom = Infinity, movedFrom = Infinity, expiresIn = 300_000 }: { mostOutput?: number | null; refusedFrom?: number; movedFrom?: number; expiresIn?: number } = {}) {
  let asked = 0;
  server = await serve((response, { path, body }) => {
    if (path !== "/v1/leases") return json(response, 200, settled((body as UsageReport).input_tokens + (body as UsageReport).output_tokens));
    asked++;
    if (asked >= refusedFrom) return json(response, 429, refusal("daily-quota-exceeded"), { "Content-Type": "application/problem+json" });
    const model = { ...granted().model, ...(asked >= movedFrom && { revision: `rev_${"1".repeat(24)}` }) };
    json(response, 201, { ...granted(), model, lease_id: `ls_${asked}`, hold: 100, expires_at: new Date(Date.now() + expiresIn).toISOString() });
  });
  const desk = new LeaseDesk({
    api: new ControlPlane(server.url, unbound()),
    publishableKey: "lh_pk_acme_x",
    user: undefined,
    metadata: undefined,
    likelyBackend: "wasm",
    offline: new OfflineBook("acme"),
    onQuota: () => undefined,
    onReportFailed: () => undefined,
  });
  const first = await desk.ask({ model: "m", tokens: 100, requestId: "req_1" });
  const notes: GenerateNote[] = [];
  const made = new LeaseChain({ desk, model: "m", revision: first.grant.model.revision, first, promptTokens: 20, mostOutput, slice: 100 });
  return { desk, notes, made, wrote: (tokens: number) => made.wrote(tokens, () => REPORT, (note) => notes.push(note)) };
}

const told = () => server.heard.filter(({ path }) => path.endsWith("/usage")).map(({ path, body }) => [path.split("/")[3], (body as UsageReport).input_tokens, (body as UsageReport).output_tokens, (body as UsageReport).outcome]);

describe("a chain of leases", () => {
  it("takes the next before the first is used up, and charges each what was written under it", async () => {
    const { made, notes, wrote } = await chain();
    wrote(54);
    expect(notes).toEqual([]);
    wrote(56); // 24 of 100 left
    await vi.waitFor(() => expect(notes).toEqual([{ kind: "wait" }, { kind: "hold", tokens: 20 + 56 + 100 }]));
    wrote(70);
    await made.settle(REPORT, 71);
    expect(told()).toEqual([["ls_1", 20, 56, "ok"], ["ls_2", 0, 15, "ok"]]);
    expect(made.leaseIds).toEqual(["ls_1", "ls_2"]);
  });

  it("stays with the revision that runs: a lease for another one goes back, and what is held is used up", async () => {
    const { made, notes, wrote } = await chain({ movedFrom: 2 });
    wrote(56);
    await vi.waitFor(() => expect(notes).toEqual([{ kind: "wait" }, { kind: "no-more" }]));
    await made.settle(REPORT, 80);
    expect(server.heard.filter(({ path }) => path === "/v1/leases").map(({ body }) => (body as { revision?: string }).revision)).toEqual([undefined, granted().model.revision]);
    expect(told()).toEqual([["ls_2", 0, 0, "error"], ["ls_1", 20, 80, "ok"]]);
  });

  it("asks for no more than may be written", async () => {
    const { made, notes, wrote } = await chain({ mostOutput: 80 });
    wrote(79);
    await made.settle(REPORT, 80);
    expect(notes).toEqual([]);
    expect(told()).toEqual([["ls_1", 20, 80, "ok"]]);
  });

  it("takes the next before the first expires", async () => {
    const { notes, wrote } = await chain({ mostOutput: 80, expiresIn: 30_000 });
    wrote(1);
    await vi.waitFor(() => expect(notes.at(-1)).toMatchObject({ kind: "hold" }));
  });

  it("goes on with what it has where the next is refused, and does not ask again", async () => {
    const { made, notes, wrote } = await chain({ refusedFrom: 2 });
    wrote(60);
    await vi.waitFor(() => expect(notes).toEqual([{ kind: "wait" }, { kind: "no-more" }]));
    wrote(70);
    await made.settle(REPORT, 80);
    expect(told()).toEqual([["ls_1", 20, 80, "ok"]]);
    expect(server.heard.filter(({ path }) => path === "/v1/leases")).toHaveLength(2);
  });

  it("costs nothing where it was stopped before it ran", async () => {
    const { made } = await chain();
    await made.abandon(new LeaseholdError("aborted", "Stopped."));
    expect(told()).toEqual([["ls_1", 0, 0, "aborted"]]);
  });

  it("charges what was written before it was stopped, also where the page goes away", async () => {
    const { made, wrote } = await chain();
    made.running();
    wrote(7);
    await made.abandon(new LeaseholdError("aborted", "Stopped."));
    expect(told()).toEqual([["ls_1", 20, 7, "aborted"]]);
    await server[Symbol.asyncDispose]();
    const { desk, made: other, wrote: write } = await chain();
    other.running();
    write(9);
    await desk.abandonAll();
    expect(told()).toEqual([["ls_1", 20, 9, "aborted"]]);
  });
});
