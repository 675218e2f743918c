/** What a lease book keeps in memory of its table, and what it finds again in the table without it. */
import { expect, test } from "vitest";
import { sortableId, type TenantId } from "../../../schema/contract/ids.ts";
import { BookKeeper } from "../../../worker/ledger/books.ts";
import { Journal } from "../../../worker/ledger/journal.ts";
import { LeaseBook } from "../../../worker/ledger/lease-book.ts";
import type { LeaseRow } from "../../../worker/ledger/lease-row.ts";
import { Mirrors } from "../../../worker/ledger/mirrors.ts";
import { OutboxRing } from "../../../worker/ledger/outbox-ring.ts";
import type { Store } from "../../../worker/ledger/store.ts";
import { randomOf } from "../../support/random.ts";
import { memoryStore } from "../../support/sqlite-storage.ts";

const TENANT = "acme" as TenantId;
const START = Date.parse("2026-11-22T10:00:00Z");
const REPORT = { seq: 1, request_id: "r", input_tokens: 1, output_tokens: 0, outcome: "ok", latency_ms: 1, backend: "wasm", cache: "hit", final: true } as Parameters<LeaseBook["report"]>[1];
/** In place of the 5,000 leases after which a tenant's floor is raised. */
const STEP = 50;

function bookOn(store: Store, now: number) {
  const mirrors = new Mirrors();
  const book = new LeaseBook(TENANT, store, new BookKeeper(store, mirrors), new Journal(new OutboxRing(store)), mirrors, STEP);
  book.fillMirrors(now);
  return { book, mirrors };
}

const open = (book: LeaseBook, now: number, more: { ttlSeconds?: number; graceSeconds?: number; purpose?: "download"; tokens?: number; nanos?: number } = {}) =>
  book.open(
    {
      purpose: "inference", keyId: "k", user: "u", model: "m", revision: "r", manifestSha256: "", prices: { input_nanos_per_token: 1, output_nanos_per_token: 1 },
      requestId: null, metadata: {}, day: "2026-11-22", tokens: 10, nanos: 10, calls: 1, ttlSeconds: 60, graceSeconds: 0, ...more,
    },
    now,
  );

const floorOf = (store: Store) => store.first<{ at: number }>("SELECT at FROM lease_floor WHERE id = 1")?.at ?? 0;

test("a lease stands in the table where it falls due", () => {
  const { store } = memoryStore();
  const { book } = bookOn(store, START);
  const ids = [open(book, START, { ttlSeconds: 300 }), open(book, START + 1_000, { ttlSeconds: 5 }), open(book, START + 2_000, { ttlSeconds: 60, graceSeconds: 3_600 })].map(({ id }) => id);
  expect(ids.toSorted()).toEqual([ids[1], ids[0], ids[2]]);
});

test("a woken object does not look through what was resolved long ago", () => {
  const { store } = memoryStore();
  const { book } = bookOn(store, START);
  const leases = Array.from({ length: 4 * STEP }, (_, i) => {
    const at = START + i * 1_000;
    const lease = open(book, at, { ttlSeconds: 5 });
    if (i % 2 === 0) book.report(lease, REPORT, "k", at);
    book.sweep(at);
    return lease;
  });
  const now = START + (leases.length - 1) * 1_000;
  expect(floorOf(store)).toBeGreaterThan(now - 6_000);
  expect(floorOf(store)).toBeLessThanOrEqual(now);
  // Would it look there, it would find this one unresolved.
  store.run("UPDATE leases SET state = 'active' WHERE id = ?", leases[0]?.id ?? "");
  const { book: woken, mirrors } = bookOn(store, now);
  expect(mirrors.active.at(now).count).toBe(3);
  expect(woken.nextExpiry()).toBe(now + 1_000);
  // Of the minute it counts all, resolved or not, and what stands before the floor too.
  expect(mirrors.minute.sums(now)).toMatchObject({ requests: 60, held: 30 });
});

test("a woken object that had to look through many notes from where on to look the next time", () => {
  const { store } = memoryStore();
  const settle = (book: LeaseBook, count: number) => {
    for (let i = 0; i < count; i++) book.report(open(book, START), REPORT, "k", START);
  };
  settle(bookOn(store, START).book, STEP - 1);
  settle(bookOn(store, START).book, 1);
  const later = START + 600_000;
  bookOn(store, later);
  expect(floorOf(store)).toBe(0);
  settle(bookOn(store, START).book, 1);
  bookOn(store, later);
  expect(floorOf(store)).toBe(later);
});

test("a woken object counts the whole minute that ends now, from the start of its first second", () => {
  const { store } = memoryStore();
  const { book } = bookOn(store, START);
  book.report(open(book, START + 500), REPORT, "k", START + 500);
  expect(bookOn(store, START + 59_999).mirrors.minute.sums(START + 59_999)).toEqual({ held: 0, posted: 1, requests: 1 });
});

test("the floor is raised once in so many leases, and not above one that is unresolved", () => {
  const { store } = memoryStore();
  const { book } = bookOn(store, START);
  const overdue = open(book, START, { ttlSeconds: 5 });
  const openMany = (count: number, now: number) => {
    for (let i = 0; i < count; i++) open(book, now);
  };
  openMany(STEP - 2, START + 10_000);
  expect(floorOf(store)).toBe(0);
  openMany(1, START + 10_000);
  expect(floorOf(store)).toBe(START + 5_000);
  book.sweep(overdue.reports_until);
  openMany(STEP - 1, START + 20_000);
  expect(floorOf(store)).toBe(START + 5_000);
  openMany(1, START + 20_000);
  expect(floorOf(store)).toBe(START + 20_000);
});

test("a clock that goes back puts no lease out of sight", () => {
  const { store } = memoryStore();
  const { book } = bookOn(store, START);
  for (let i = 0; i < STEP; i++) book.report(open(book, START), REPORT, "k", START);
  const past = START - 3_600_000;
  const lease = open(book, past);
  expect(floorOf(store)).toBeLessThan(lease.reports_until);
  const { book: woken, mirrors } = bookOn(store, past);
  expect(mirrors.holds.of("t", "2026-11-22")).toEqual({ tokens: 10, nanos: 10 });
  woken.sweep(lease.reports_until);
  expect(woken.find(lease.id)?.state).toBe("expired");
});

test("a download that ends with an inference takes nothing of what that holds", () => {
  const { store, database } = memoryStore();
  const { book, mirrors } = bookOn(store, START);
  open(book, START);
  const download = open(book, START, { purpose: "download", tokens: 0, nanos: 0 });
  expect(mirrors.active.at(START).count).toBe(1);
  book.report(download, { ...REPORT, input_tokens: 0 }, "k", START);
  expect(mirrors.active.at(START).count).toBe(1);
  expect(mirrors.ofKey("k").active.at(START).count).toBe(1);
  expect(database.prepare("SELECT count(*) AS n FROM windows").get()?.n).toBe(0);
});

test("a lease from before ids said when they fall due is found, held and ended in time", () => {
  const { store } = memoryStore();
  const { book } = bookOn(store, START);
  const lease = open(book, START, { ttlSeconds: 300 });
  const old = `ls_acme_${sortableId(START)}`;
  store.run("UPDATE leases SET id = ? WHERE id = ?", old, lease.id);
  const { book: woken, mirrors } = bookOn(store, START + 1_000);
  expect([mirrors.active.at(START + 1_000).count, mirrors.holds.of("u:u", "2026-11-22").tokens, woken.nextExpiry()]).toEqual([1, 10, lease.reports_until]);
  woken.sweep(lease.reports_until - 1);
  expect(woken.find(old)?.state).toBe("active");
  woken.sweep(lease.reports_until);
  expect(woken.find(old)?.state).toBe("expired");
  expect([mirrors.due.soonest, mirrors.places.soonest]).toEqual([null, null]);
});

test("revoking ends what is unresolved, of one key or of all, and nothing else", () => {
  const { store } = memoryStore();
  const { book, mirrors } = bookOn(store, START);
  const settled = open(book, START);
  book.report(settled, REPORT, "k", START);
  const [a, b] = [open(book, START), open(book, START, { ttlSeconds: 300, graceSeconds: 3_600 })];
  expect(book.revokeWhere(({ key_id }) => key_id === "other", START, "operator", "r")).toBe(0);
  expect(book.revokeWhere(({ key_id }) => key_id === "k", START, "operator", "r")).toBe(2);
  book.revokeAll(START, "operator", "r");
  expect([settled, a, b].map(({ id }) => (book.find(id) as LeaseRow).state)).toEqual(["settled", "revoked", "revoked"]);
  expect(mirrors.holds.of("t", "2026-11-22")).toEqual({ tokens: 0, nanos: 0 });
});

test("memory is what the table says after any step, and after one that was undone", () => {
  const { store, database } = memoryStore();
  const { book, mirrors } = bookOn(store, START);
  const random = randomOf(7);
  const seen = (of: Mirrors, at: number) => ({
    minute: of.minute.sums(at),
    active: of.active.at(at),
    held: ["t", "u:u", "k:k"].map((scope) => of.holds.of(scope, "2026-11-22")),
    due: of.due.soonest,
    places: of.places.soonest,
  });
  const leases: LeaseRow[] = [];
  let now = START;
  const step = () => {
    book.sweep(now);
    const kind = random.int(0, 9);
    if (kind < 4 || leases.length === 0) return void leases.push(open(book, now, { ttlSeconds: random.pick([5, 60, 300]), graceSeconds: random.pick([0, 0, 600]) }));
    if (kind === 9) return void book.revokeWhere(({ key_id }) => key_id === "k", now, "operator", "r");
    const lease = book.find(random.pick(leases).id) as LeaseRow;
    book.report(lease, { ...REPORT, seq: lease.reports + 1, final: kind < 7 }, "k", now);
  };
  for (let i = 0; i < 400; i++) {
    now += random.pick([0, 1, 900, 7_000, 61_000]);
    if (i % 5 === 0) {
      database.exec("SAVEPOINT undone");
      step();
      database.exec("ROLLBACK TO undone");
      store.forget();
      book.fillMirrors(now);
      leases.splice(0, leases.length, ...leases.filter(({ id }) => book.find(id) !== null));
    }
    step();
    expect(seen(mirrors, now), `step ${i}`).toEqual(seen(bookOn(store, now).mirrors, now));
  }
});
