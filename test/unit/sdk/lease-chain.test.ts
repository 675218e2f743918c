import { afterEach, describe, expect, it, vi } from "vitest";
import { LeaseholdError } from "../../../client/errors.ts";
import { Generator } from "../../../client/runtime/generate/generator.ts";
import type { GenerateEvent, GenerateInput, GenerateNote } from "../../../client/runtime/tasks/text-generation/request.ts";
import { Tokenizer } from "../../../client/runtime/tokenizer/tokenizer.ts";
import { ControlPlane } from "../../../client/sdk/control-plane.ts";
import { LeaseDesk } from "../../../client/sdk/lease-desk.ts";
import { OfflineBook } from "../../../client/sdk/offline-book.ts";
import { LeaseChain, type Report } from "../../../client/sdk/text/lease-chain.ts";
import type { UsageReport } from "../../../schema/contract/leases.ts";
import { BigramDecoder } from "../../support/bigram-decoder.ts";
import { byteLevelTokenizer } from "../../support/small-tokenizers.ts";
import { json, type ScriptedServer, serve } from "../../support/scripted-server.ts";
import { granted, issuedAt, refusal, settled, unbound } from "./examples.ts";

const { file, config } = byteLevelTokenizer();
const tokenizer = new Tokenizer(file, { ...config, chat_template: `<tool_call>${String(config["chat_template"])}` }, null);

/** A model that writes a note of 250 characters, each a token, by way of a tool. */
async function noteWriter() {
  const says = `<tool_call>{"name":"note","arguments":{"text":"${"abcdefghijklmnopqrstuvwxyz".repeat(10).slice(0, 250)}"}}</tool_call>`;
  const decoder = new BigramDecoder({ vocabulary: tokenizer.bytes.bytes.length, saying: tokenizer.encode(says, { addSpecialTokens: false }).ids });
  const note = { type: "function", function: { name: "note", parameters: { type: "object", properties: { text: { type: "string" } }, required: ["text"] } } } as const;
  const input: GenerateInput = { kind: "generate", prompt: { kind: "chat", messages: [{ role: "user", content: "Note" }], tools: [note], toolChoice: { name: "note" }, isParallel: true }, sampling: {}, maxTokens: null, stop: [], choices: 1, logprobs: null, format: { type: "text" }, hold: 100 };
  const generator = new Generator({ decoder, tokenizer, generationConfig: {}, modelConfig: {} });
  const { promptTokens } = await generator.run({ ...input, kind: "measure" }, async () => undefined, { emit: () => undefined, notes: () => [] });
  return { decoder, input, generator, promptTokens };
}

const REPORT: Report = { outcome: "ok", latencyMs: 5, backend: "wasm", cache: "hit" };

let server: ScriptedServer;
afterEach(() => server[Symbol.asyncDispose]());

/** Leases of 100 tokens, issued on a clock that the device's is `aheadMs` ahead of; from the `refusedFrom`th on, none; from the `movedFrom`th on, for another revision. */
async function chain({ promptTokens = 20, mostOutput = null, refusedFrom = Infinity, movedFrom = Infinity, expiresIn = 300_000, aheadMs = 0 }: { promptTokens?: number; mostOutput?: number | null; refusedFrom?: number; movedFrom?: number; expiresIn?: number; aheadMs?: number } = {}) {
  let asked = 0;
  server = await serve((response, { path, body }) => {
    if (path !== "/v1/leases") return json(response, 200, settled((body as UsageReport).input_tokens + (body as UsageReport).output_tokens));
    asked++;
    if (asked >= refusedFrom) return json(response, 429, refusal("daily-quota-exceeded"), { "Content-Type": "application/problem+json" });
    const model = { ...granted().model, ...(asked >= movedFrom && { revision: `rev_${"1".repeat(24)}` }) };
    const now = Date.now() - aheadMs;
    json(response, 201, { ...granted(), lease: issuedAt(now), model, lease_id: `ls_${asked}`, hold: 100, expires_at: new Date(now + expiresIn).toISOString() });
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
  const made = new LeaseChain({ desk, model: "m", revision: first.grant.model.revision, first, promptTokens, mostOutput, slice: 100 });
  return { desk, notes, made, wrote: (tokens: number, isOut = false) => made.wrote(tokens, () => REPORT, (note) => notes.push(note), isOut) };
}

const told = () => server.heard.filter(({ path }) => path.endsWith("/usage")).map(({ path, body }) => [path.split("/")[3], (body as UsageReport).input_tokens, (body as UsageReport).output_tokens, (body as UsageReport).outcome]);

describe("a chain of leases", () => {
  it("takes the next before the first is used up, and charges each what was written under it", async () => {
    const { made, notes, wrote } = await chain();
    wrote(59);
    expect(server.heard).toHaveLength(1);
    wrote(60); // 20 of 80 left
    await vi.waitFor(() => expect(notes).toEqual([{ kind: "hold", tokens: 20 + 60 + 100 }]));
    wrote(70);
    await made.settle(REPORT, 71);
    expect(told()).toEqual([["ls_1", 20, 60, "ok"], ["ls_2", 0, 11, "ok"]]);
    expect(made.leaseIds).toEqual(["ls_1", "ls_2"]);
  });

  it("stays with the revision that runs: a lease for another one goes back, and what is held is used up", async () => {
    const { made, notes, wrote } = await chain({ movedFrom: 2 });
    wrote(60);
    await vi.waitFor(() => expect(notes).toEqual([{ kind: "no-more" }]));
    await made.settle(REPORT, 80);
    expect(server.heard.filter(({ path }) => path === "/v1/leases").map(({ body }) => (body as { revision?: string }).revision)).toEqual([undefined, granted().model.revision]);
    expect(told()).toEqual([["ls_2", 0, 0, "error"], ["ls_1", 20, 80, "ok"]]);
  });

  it("answers a run that has used up its hold before the page heard of it", async () => {
    const { made, notes, wrote } = await chain();
    wrote(80, true);
    wrote(80, true);
    expect(notes).toEqual([]);
    await vi.waitFor(() => expect(notes).toEqual([{ kind: "hold", tokens: 20 + 80 + 100 }]));
    await made.settle(REPORT, 90);
    expect(told()).toEqual([["ls_1", 20, 80, "ok"], ["ls_2", 0, 10, "ok"]]);
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

  it.each([10 * 60_000, -10 * 60_000])("knows how long a lease lives on a device whose clock is %d ms ahead", async (aheadMs) => {
    const { made, wrote } = await chain({ mostOutput: 80, aheadMs });
    wrote(1);
    wrote(2);
    await made.settle(REPORT, 2);
    expect(server.heard.filter(({ path }) => path === "/v1/leases")).toHaveLength(1);
    await server[Symbol.asyncDispose]();
    const { notes, wrote: write } = await chain({ mostOutput: 80, expiresIn: 30_000, aheadMs });
    write(1);
    await vi.waitFor(() => expect(notes.at(-1)).toMatchObject({ kind: "hold" }));
  });

  it("goes on with what it has where the next is refused, and does not ask again", async () => {
    const { made, notes, wrote } = await chain({ refusedFrom: 2 });
    wrote(60);
    await vi.waitFor(() => expect(notes).toEqual([{ kind: "no-more" }]));
    wrote(70);
    wrote(80, true);
    expect(notes).toEqual([{ kind: "no-more" }, { kind: "no-more" }]);
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

  it("goes on in a tool call, of which no text comes", { timeout: 20_000 }, async () => {
    const { generator, input, promptTokens } = await noteWriter();
    const { made, notes, wrote } = await chain({ promptTokens });
    const endings: string[] = [];
    const emit = (event: GenerateEvent) => {
      if ("outputTokens" in event) wrote(event.outputTokens, event.kind === "count" && event.isOut);
      if (event.kind === "ended") endings.push(event.why);
    };
    const { outputTokens } = await generator.run(input, async () => undefined, { emit, notes: () => notes.splice(0) });
    await made.settle(REPORT, outputTokens);
    expect(endings).toEqual(["tool-calls"]);
    expect(outputTokens).toBeGreaterThan(250);
    expect(made.leaseIds.length).toBeGreaterThan(2);
    expect(told().reduce((sum, [, , output]) => sum + Number(output), 0)).toBe(outputTokens);
  });

  it("tells what a tool call has cost to a few tokens where the page goes away in its middle", async () => {
    const { generator, input, decoder, promptTokens } = await noteWriter();
    const { desk, made, notes, wrote } = await chain({ promptTokens });
    made.running();
    const left = new LeaseholdError("aborted", "The page went away.");
    const emit = (event: GenerateEvent) => void ("outputTokens" in event && wrote(event.outputTokens));
    const step = async () => {
      if (decoder.computed >= promptTokens + 70) throw left;
    };
    await expect(generator.run({ ...input, hold: null }, step, { emit, notes: () => notes.splice(0) })).rejects.toBe(left);
    await vi.waitFor(() => expect(notes.length).toBeGreaterThan(0), 10_000); // the next lease is there
    await desk.abandonAll();
    const computed = decoder.position - promptTokens;
    const charged = told().reduce((sum, [, , output]) => sum + Number(output), 0);
    expect(computed - charged).toBeGreaterThanOrEqual(0);
    expect(computed - charged).toBeLessThan(9);
  });
});
