/** A person reads a receipt on Acme's site, comes back with another backend, and Acme's own back end takes a lease. */
import { leaseGranted, leaseState } from "../../schema/contract/leases.ts";
import { costNanos, imageTokens } from "../../schema/contract/measure.ts";
import { quota } from "../../schema/contract/policy.ts";
import { billing } from "../../schema/contract/records.ts";
import { apiAt } from "../api.ts";
import { OCR_MODEL } from "../demo/ocr-model.ts";
import type { Bench } from "./bench.ts";
import { costsInD1, inferencesInD1 } from "./d1.ts";
import { SMALL_RECEIPT } from "./receipt.ts";
import { type Report, eventually, expectSame, expectTrue } from "./report.ts";
import { type Reading, type Visit, visit } from "./visit.ts";

const TEXT = SMALL_RECEIPT.lines.join("\n");
const TOKENS = imageTokens(SMALL_RECEIPT.width, SMALL_RECEIPT.height);

export async function checkReading(bench: Bench, report: Report): Promise<void> {
  await checkFirstVisit(bench, report);
  await checkRecords(bench, report);
  await checkSecondVisit(bench, report);
  await checkHoldComesBack(bench, report);
}

async function checkFirstVisit({ acme, picture, profileDir }: Bench, report: Report): Promise<void> {
  let first: Visit | undefined;
  let reading: Reading | undefined;
  await report.check("the widget on acme's site reads what is written in the picture, on WASM", async () => {
    first = await visit(`${acme.site.url}/?backend=wasm`, profileDir);
    reading = await first.read(picture);
    expectSame("the text that the widget shows", reading.text, TEXT);
    expectSame("the text that the page is told", reading.told.text, TEXT);
    expectSame("the backend", reading.backend, "wasm");
    return reading.told.reason;
  });
  await report.check("the first visit downloads the weights", async () => {
    expectTrue("nothing was fetched", (first?.weightBytes() ?? 0) > 10_000_000);
    return `${((first?.weightBytes() ?? 0) / 1e6).toFixed(1)} MB`;
  });
  await report.check("usage is ⌈width × height / 750⌉ tokens, counted alike on both sides", async () => {
    expectSame("usage", reading?.told.usage, { input_tokens: TOKENS, output_tokens: 0 });
    return `${TOKENS} tokens`;
  });
  await first?.leave();
}

async function checkRecords({ plane, acme, globex }: Bench, report: Report): Promise<void> {
  const { tenant, keys } = acme;
  const api = apiAt(plane.url, keys.admin);
  const cost = costNanos({ inputTokens: TOKENS, outputTokens: 0, calls: 1 }, tenant.prices);

  await report.check("D1 holds one INFERENCE_EXECUTED for acme, with its user and model", async () => {
    const events = await eventually(() => inferencesInD1(plane.stateDir, tenant.id), (found) => found.length > 0);
    expectSame("audit_events", events.map(({ user_id, model }) => ({ user_id, model })), [{ user_id: tenant.user, model: OCR_MODEL }]);
  });
  await report.check("D1 holds one cost record for acme, with the right user, model, tokens and cost", async () => {
    const found = await eventually(() => costsInD1(plane.stateDir, tenant.id), (rows) => rows.length > 0);
    const [event] = inferencesInD1(plane.stateDir, tenant.id);
    expectSame("cost_records", found, [
      { seq: event?.seq, user_id: tenant.user, model: OCR_MODEL, input_tokens: TOKENS, output_tokens: 0, calls: 1, cost_nanos: cost, backend: "wasm" },
    ]);
    return `${cost} nano-dollars`;
  });
  await report.check("the bill and the quota say the same, and nothing is held any more", async () => {
    const { daily_token_limit: daily } = await api.get(`/v1/tenants/${tenant.id}/quota`, quota);
    expectSame("daily tokens held and posted", [daily.held, daily.posted], [0, TOKENS]);
    const bill = await api.get(`/v1/tenants/${tenant.id}/billing?period=${new Date().toISOString().slice(0, 7)}`, billing);
    expectSame("billing", [bill.total_tokens, bill.api_calls, bill.total_cost.nanos], [TOKENS, 1, cost]);
  });
  await report.check("globex has none of it", async () => {
    expectSame("audit_events", inferencesInD1(plane.stateDir, globex.tenant.id), []);
    expectSame("cost_records", costsInD1(plane.stateDir, globex.tenant.id), []);
    const { daily_token_limit: daily } = await apiAt(plane.url, globex.keys.admin).get(`/v1/tenants/${globex.tenant.id}/quota`, quota);
    expectSame("daily tokens held and posted", [daily.held, daily.posted], [0, 0]);
  });
}

/** The browser was closed in between: what is left is what it kept on disk. */
async function checkSecondVisit({ acme, picture, profileDir }: Bench, report: Report): Promise<void> {
  let second: Visit | undefined;
  await report.check("WebGPU reads the same text", async () => {
    second = await visit(`${acme.site.url}/?backend=webgpu`, profileDir);
    const reading = await second.read(picture);
    expectSame("the text that the widget shows", reading.text, TEXT);
    expectSame("the backend", reading.backend, "webgpu");
    return reading.told.reason;
  });
  await report.check("the second visit fetches 0 bytes of weights", async () => {
    expectTrue("there was no second visit", second !== undefined);
    expectSame("bytes fetched", second?.weightBytes(), 0);
  });
  await second?.leave();
}

async function checkHoldComesBack({ plane, acme: { tenant, keys } }: Bench, report: Report): Promise<void> {
  const admin = apiAt(plane.url, keys.admin);
  const daily = async () => (await admin.get(`/v1/tenants/${tenant.id}/quota`, quota)).daily_token_limit;

  await report.check("a lease holds its tokens, and what is not used comes back", async () => {
    const before = await daily();
    const granted = await apiAt(plane.url, keys.backend).post("/v1/leases", { model: OCR_MODEL, tokens: 5_000, user: tenant.user }, leaseGranted);
    const during = await daily();
    expectSame("held and posted under the lease", [during.held, during.posted], [before.held + 5_000, before.posted]);
    const settled = await apiAt(plane.url, granted.lease).post(
      `/v1/leases/${granted.lease_id}/usage`,
      { seq: 0, request_id: "check-hold", input_tokens: 1_200, output_tokens: 0, outcome: "ok", latency_ms: 40, backend: "wasm", cache: "hit", final: true },
      leaseState,
    );
    expectSame("the lease", [settled.state, settled.used, settled.remaining], ["settled", 1_200, 0]);
    const after = await daily();
    expectSame("held and posted after it", [after.held, after.posted], [before.held, before.posted + 1_200]);
    return "5000 held, 1200 used, 3800 back";
  });
}
