/** The sums and the tallies on a real SQLite (Node's): each record counted once, whoever asks and however often. */
import { beforeEach, expect, test } from "vitest";
import type { TenantId } from "../../../schema/contract/ids.ts";
import { type CostEntry, Journal, type OutboxRecord } from "../../../worker/ledger/journal.ts";
import { OutboxRing } from "../../../worker/ledger/outbox-ring.ts";
import { Rollups } from "../../../worker/ledger/rollups.ts";
import type { Store } from "../../../worker/ledger/store.ts";
import { KEEP_HOURS, TallyBook } from "../../../worker/ledger/tally-book.ts";
import { EMPTY_TALLY } from "../../../worker/metrics/tally.ts";
import { memoryStore } from "../../support/sqlite-storage.ts";

const ACME = "acme" as TenantId;
const HOUR = 3_600_000;
const NOW = Date.parse("2026-11-22T10:30:00Z");
const HOUR_OF_NOW = NOW / HOUR - 0.5;
const cost = (more: Partial<CostEntry> = {}): CostEntry => ({
  day: "2026-11-22", leaseId: "ls_1", model: "ocr", revision: "rev_1", inputTokens: 10, outputTokens: 5, unreportedTokens: 0, calls: 1, costNanos: 70,
  outcome: "ok", errorCode: null, latencyMs: 100, ttftMs: 20, backend: "wasm", cache: "hit", ...more,
});

let store: Store;
let ring: OutboxRing;
let tallies: TallyBook;
let rollups: Rollups;
let journal: Journal;
beforeEach(() => {
  store = memoryStore().store;
  ring = new OutboxRing(store);
  tallies = new TallyBook(store);
  rollups = new Rollups(store, ring, tallies);
  journal = new Journal(ring);
});

const happened = (user: string | null, entry: CostEntry, now = NOW) => journal.append(ACME, now, { action: "INFERENCE_EXECUTED", actor: "ls_1", user, model: entry.model, details: {} }, { cost: entry });
const nothingPaid = () => journal.append(ACME, NOW, { action: "LEASE_GRANTED", actor: "key_1", details: {} });
const waiting = (): OutboxRecord[] => ring.waiting(1_000).map(({ record }) => record);
const days = () => rollups.daysOf(waiting()).toSorted((a, b) => JSON.stringify([a.day, a.model, a.user_id]) < JSON.stringify([b.day, b.model, b.user_id]) ? -1 : 1);
const row = (more: object) => ({ day: "2026-11-22", model: "ocr", user_id: "", input_tokens: 10, output_tokens: 5, unreported_tokens: 0, calls: 1, cost_nanos: 70, version: 1, ...more });

test("what was paid for is summed by day, model and user; an event without a cost is in no sum", () => {
  happened("u1", cost());
  happened("u1", cost({ inputTokens: 1, outputTokens: 2, calls: 0, costNanos: 9 }));
  happened("u2", cost());
  happened(null, cost({ inputTokens: 0, outputTokens: 0, unreportedTokens: 40, outcome: "expired" }));
  happened("u1", cost({ day: "2026-11-23" }));
  happened("u1", cost({ model: "chat" }));
  nothingPaid();
  rollups.fold();
  expect(days()).toEqual([
    row({ model: "chat", user_id: "u1", version: 6 }),
    row({ input_tokens: 0, output_tokens: 0, unreported_tokens: 40, version: 4 }),
    row({ user_id: "u1", input_tokens: 11, output_tokens: 7, calls: 1, cost_nanos: 79, version: 2 }),
    row({ user_id: "u2", version: 3 }),
    row({ day: "2026-11-23", user_id: "u1", version: 5 }),
  ]);
});

test("each record is counted once, however often it is asked; what came since is added to what stands", () => {
  happened("u1", cost());
  rollups.fold();
  rollups.fold();
  expect(days()).toEqual([row({ user_id: "u1" })]);
  happened("u1", cost({ unreportedTokens: 3 }));
  rollups.fold();
  expect(days()).toEqual([row({ user_id: "u1", input_tokens: 20, output_tokens: 10, unreported_tokens: 3, calls: 2, cost_nanos: 140, version: 2 })]);
  expect(ring.folded).toBe(2);
});

test("an object that wakes up goes on where the sums ended", () => {
  happened("u1", cost());
  rollups.fold();
  happened("u1", cost());
  const woken = new OutboxRing(store);
  new Rollups(store, woken, new TallyBook(store)).fold();
  expect(days()).toEqual([row({ user_id: "u1", input_tokens: 20, output_tokens: 10, calls: 2, cost_nanos: 140, version: 2 })]);
});

test("more records than one step takes are counted all", () => {
  for (let i = 0; i < 1_203; i++) happened("u1", cost());
  rollups.fold();
  const [sum] = rollups.daysOf(waiting().slice(0, 1));
  expect(sum).toMatchObject({ calls: 1_203, input_tokens: 12_030, version: 1_203 });
});

test("the days of a batch are those that it touched, and none where it touched none", () => {
  happened("u1", cost());
  happened("u2", cost({ day: "2026-11-21" }));
  nothingPaid();
  rollups.fold();
  const [first, , last] = waiting() as [OutboxRecord, OutboxRecord, OutboxRecord];
  expect(rollups.daysOf([first])).toEqual([row({ user_id: "u1" })]);
  expect(rollups.daysOf([last])).toEqual([]);
});

test("an event that no sum counts is not worth a row: its mark waits for the next", () => {
  nothingPaid();
  rollups.fold();
  expect([ring.folded, new OutboxRing(store).folded]).toEqual([1, 0]);
  happened("u1", cost());
  rollups.fold();
  expect(new OutboxRing(store).folded).toBe(2);
});

test("sums are read after one key: some of them, or all up to another", () => {
  for (const [day, model, user] of [["2026-11-21", "ocr", "u2"], ["2026-11-22", "chat", null], ["2026-11-22", "chat", "u1"], ["2026-11-22", "ocr", "u1"], ["2026-11-23", "chat", "u1"]] as const) happened(user, cost({ day, model }));
  rollups.fold();
  const keyOf = (day: string, model: string, user_id: string) => ({ day, model, user_id });
  const read = (...ask: Parameters<Rollups["between"]>) => rollups.between(...ask).map(({ day, model, user_id }) => `${day.slice(8)} ${model} ${user_id}`);
  const all = ["21 ocr u2", "22 chat ", "22 chat u1", "22 ocr u1", "23 chat u1"];
  expect(read(keyOf("", "", ""), null, 100)).toEqual(all);
  expect(read(keyOf("", "", ""), null, 2)).toEqual(all.slice(0, 2));
  expect(read(keyOf("2026-11-22", "chat", ""), null, 2)).toEqual(all.slice(2, 4));
  expect(read(keyOf("2026-11-21", "ocr", "u2"), keyOf("2026-11-22", "ocr", "u1"), 100)).toEqual(all.slice(1, 4));
  expect(rollups.between(keyOf("2026-11-22", "ocr", "u1"), null, 1)).toEqual([row({ day: "2026-11-23", model: "chat", user_id: "u1", version: 5 })]);
});

test("a day whose postings are not its sums is named; what has no postings any more is not judged", () => {
  const post = (day: string, tokens: number, nanos: number, scope = "t") => store.run("INSERT INTO windows (scope, day, posted, posted_nanos) VALUES (?, ?, ?, ?)", scope, day, tokens, nanos);
  const days = ["2026-11-19", "2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"] as const;
  for (const day of days) happened("u1", cost({ day, unreportedTokens: 1 }));
  happened("u2", cost({ day: "2026-11-20", inputTokens: 1, outputTokens: 0, costNanos: 2 }));
  rollups.fold();
  expect(rollups.unlikePostings()).toEqual([]);
  post("2026-11-20", 17, 72);
  post("2026-11-20", 999, 999, "u:u1");
  post("2026-11-21", 16, 71);
  post("2026-11-22", 15, 70);
  expect(rollups.unlikePostings()).toEqual(["2026-11-21", "2026-11-22", "2026-11-23"]);
  post("2026-11-23", 16, 70);
  expect(rollups.unlikePostings()).toEqual(["2026-11-21", "2026-11-22"]);
});

test("tallies are kept by hour and model, and for all time", () => {
  happened("u1", cost(), NOW - HOUR);
  happened("u2", cost({ latencyMs: 300 }));
  happened("u1", cost({ outcome: "error" }));
  happened(null, cost({ model: "chat", outcome: "expired", unreportedTokens: 7 }));
  nothingPaid();
  rollups.fold();
  const between = (from: number, to: number) => [...tallies.between(from, to)].map(([model, tally]) => [model, Object.values(tally.reports).reduce((sum, n) => sum + n, 0), tally.costNanos]);
  expect(between(HOUR_OF_NOW, HOUR_OF_NOW + 1)).toEqual([["chat", 0, 70], ["ocr", 2, 140]]);
  expect(between(HOUR_OF_NOW - 1, HOUR_OF_NOW)).toEqual([["ocr", 1, 70]]);
  expect(between(HOUR_OF_NOW - 1, HOUR_OF_NOW + 1)).toEqual([["chat", 0, 70], ["ocr", 3, 210]]);
  // The row of all time is no hour.
  expect(between(0, HOUR_OF_NOW - 1)).toEqual([]);
  expect(tallies.totals().get("ocr")).toMatchObject({ reports: { "ok|wasm|hit": 2, "error|wasm|hit": 1 }, tokens: { input: 30, output: 15 }, costNanos: 210 });
  expect([...tallies.totals().keys()]).toEqual(["chat", "ocr"]);
});

test("old hours are forgotten; what counts all time never falls", () => {
  happened("u1", cost(), NOW - KEEP_HOURS * HOUR);
  happened("u1", cost(), NOW - (KEEP_HOURS + 1) * HOUR);
  happened("u1", cost());
  rollups.fold();
  const hours = () => store.all<{ hour: number }>("SELECT hour FROM sketches ORDER BY hour").map(({ hour }) => hour);
  // Both of the past stand at the instant of the chain, which never goes back.
  expect(hours()).toEqual([0, HOUR_OF_NOW - KEEP_HOURS, HOUR_OF_NOW]);
  tallies.forgetOld(NOW);
  expect(hours()).toEqual([0, HOUR_OF_NOW - KEEP_HOURS, HOUR_OF_NOW]);
  tallies.forgetOld(NOW + HOUR);
  expect(hours()).toEqual([0, HOUR_OF_NOW]);
  expect(tallies.totals().get("ocr")?.tokens.input).toBe(30);
});

test("what D1 does not have of the tallies is sent, and no more once it has it", () => {
  expect([tallies.hasUnsent(), tallies.unsent(NOW)]).toEqual([false, []]);
  happened("u1", cost(), NOW - 5 * HOUR);
  happened("u1", cost({ model: "chat" }), NOW - HOUR);
  happened("u1", cost({ model: "chat" }));
  rollups.fold();
  const unsent = tallies.unsent(NOW).toSorted((a, b) => (a.model < b.model ? -1 : 1));
  expect(tallies.hasUnsent()).toBe(true);
  expect(unsent.map(({ model, hour, version }) => [model, hour, version])).toEqual([["chat", HOUR_OF_NOW, 3], ["ocr", HOUR_OF_NOW, 3]]);
  // `recent` is the hour that runs and the one before it.
  expect(unsent.map(({ recent }) => JSON.parse(recent) as object)).toEqual([tallies.totals().get("chat"), EMPTY_TALLY]);
  expect(JSON.parse(unsent[1]?.total as string)).toEqual(tallies.totals().get("ocr"));
  tallies.markSent(3);
  expect([tallies.hasUnsent(), tallies.unsent(NOW)]).toEqual([false, []]);
  happened("u1", cost());
  rollups.fold();
  expect([tallies.hasUnsent(), new TallyBook(store).unsent(NOW).map(({ model }) => model)]).toEqual([true, ["ocr"]]);
});
