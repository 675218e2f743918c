import { beforeEach, describe, expect, test } from "vitest";
import { type HeadKey, type HeadName, signHead } from "../../../worker/audit/signed-head.ts";
import type { StoredEvent } from "../../../worker/audit/verify-chain.ts";
import { type ChainSources, verifyFrom } from "../../../worker/audit/verify.ts";
import { type AuditEntry, type ChainHead, EMPTY_CHAIN, canonicalJson, chain, sha256Hex } from "../../../worker/ledger/audit-chain.ts";
import { makeSecrets, workerSecrets } from "../../../cli/secrets.ts";
import { type Env, settingsOf } from "../../../worker/env.ts";

const TENANT = "acme";
const freshSettings = () => settingsOf({ ...workerSecrets(makeSecrets()), LEASE_ISSUER: "https://leasehold.test" } as Env);
const settings = freshSettings();
const keys: HeadKey[] = settings.signingKeys.map(({ kid, x }) => ({ kid, x }));

const stored = ({ user: userId, details, ...entry }: AuditEntry): StoredEvent => ({ ...entry, userId, details: canonicalJson(details) });

function chainOf(length: number, from: ChainHead = EMPTY_CHAIN): StoredEvent[] {
  const events: StoredEvent[] = [];
  let head = from;
  for (let i = 0; i < length; i++) {
    const entry = chain(TENANT, head, { action: "LEASE_GRANTED", actor: "key_1", details: { i } }, 1_000 + i);
    events.push(stored(entry));
    head = entry;
  }
  return events;
}

const headOf = ({ seq, hash, at }: StoredEvent): ChainHead => ({ seq, hash, at });

/** D1, R2 and the ledger as they are when everything is right; a test changes one of them. */
async function world(length: number, signedAt: readonly number[] = []) {
  const events = chainOf(length);
  const texts = new Map<string, { name: HeadName; jws: string }>();
  let prev: HeadName | null = null;
  for (const seq of signedAt) {
    const jws: string = await signHead(TENANT, headOf(events[seq - 1] as StoredEvent), prev, 5_000, settings);
    prev = { seq, sha256: sha256Hex(jws) };
    texts.set(prev.sha256, { name: prev, jws });
  }
  const newest = headOf(events.at(-1) as StoredEvent);
  const live = { sent: newest, newest, signed: prev, keys };
  const sources: ChainSources = {
    tenant: TENANT,
    live,
    events: async (after, limit) => events.filter(({ seq }) => after === null || seq > after).slice(0, limit),
    bills: {
      d1: { costs: async () => [], lastCostSeq: async () => null, days: async () => [], unlikeCosts: async () => null },
      ledger: async () => ({ rows: [], sent: length, newest: length }),
      postings: async () => [],
    },
    lastSeq: async () => events.at(-1)?.seq ?? null,
    heads: {
      list: async (after, limit) => [...texts.values()].map(({ name }) => name).filter(({ seq }) => seq > after).sort((a, b) => a.seq - b.seq).slice(0, limit),
      get: async ({ sha256 }) => texts.get(sha256)?.jws ?? null,
      has: async ({ sha256 }) => texts.has(sha256),
    },
    liveNow: async () => live,
  };
  return { events, texts, sources };
}

describe("a chain as it was written", () => {
  test.each([1, 2, 999, 1_000, 1_001, 2_500])("of %i events holds, in one call", async (length) => {
    const { sources } = await world(length, length > 10 ? [3, 10] : []);
    expect(await verifyFrom(EMPTY_CHAIN, sources)).toEqual({ upTo: sources.live.sent, complete: true, fault: null, discrepancies: [] });
  });

  test("goes on growing while it is read: what came after the question is no fault", async () => {
    const { events, sources } = await world(20);
    const later = chainOf(3, sources.live.newest);
    const grown = { ...sources, events: async (after: number | null, limit: number) => [...events, ...later].filter(({ seq }) => after === null || seq > after).slice(0, limit), lastSeq: async () => 23, liveNow: async () => ({ ...sources.live, newest: headOf(later[2] as StoredEvent) }) };
    expect(await verifyFrom(EMPTY_CHAIN, grown)).toMatchObject({ upTo: { seq: 20 }, complete: true, fault: null });
  });

  test("is held right in pages where it is long, and each page goes on where the last ended", async () => {
    const { sources } = await world(2_000, Array.from({ length: 700 }, (_, index) => 2 * index + 1));
    const pages: number[] = [];
    let from = EMPTY_CHAIN;
    for (;;) {
      const { upTo, complete, fault } = await verifyFrom(from, sources);
      expect(fault).toBeNull();
      pages.push(upTo.seq);
      if (complete) break;
      from = upTo;
    }
    expect(pages).toEqual([601, 1_203, 2_000]);
  });
});

describe("what the ledger does while it is read", () => {
  /** The ledger goes on to event 23 and signs heads of its new events. */
  async function grown(signedAt: readonly number[]) {
    const { texts, sources } = await world(20, [10]);
    const later = chainOf(3, sources.live.newest);
    let prev = [...texts.values()][0]?.name as HeadName;
    for (const seq of signedAt) {
      const jws = await signHead(TENANT, headOf(later[seq - 21] as StoredEvent), prev, 6_000, settings);
      prev = { seq, sha256: sha256Hex(jws) };
      texts.set(prev.sha256, { name: prev, jws });
    }
    return { texts, sources: { ...sources, lastSeq: async () => 23, liveNow: async () => ({ ...sources.live, newest: headOf(later[2] as StoredEvent) }) } };
  }

  test.each([[[21]], [[22, 23]], [[23]]])("heads of %j that were signed meanwhile are no fault", async (signedAt) => {
    expect(await verifyFrom(EMPTY_CHAIN, (await grown(signedAt)).sources)).toMatchObject({ complete: true, fault: null });
  });

  test("what is wrong with heads of later events is not judged yet", async () => {
    const { texts, sources } = await grown([21, 22]);
    const names = [...texts.values()].map(({ name }) => name);
    texts.delete(names[1]?.sha256 as string);
    expect((await verifyFrom(EMPTY_CHAIN, sources)).fault).toBeNull();
  });

  test("heads that were listed are not asked for again", async () => {
    const { sources } = await world(30, [10, 20, 30]);
    const asked: HeadName[] = [];
    const heads = { ...sources.heads, has: (name: HeadName) => (asked.push(name), sources.heads.has(name)) };
    expect((await verifyFrom(EMPTY_CHAIN, { ...sources, heads })).complete).toBe(true);
    expect(asked).toEqual([]);
    // On a later page the head before the first of the page is.
    expect((await verifyFrom(headOf(chainOf(15)[14] as StoredEvent), { ...sources, heads })).complete).toBe(true);
    expect(asked.map(({ seq }) => seq)).toEqual([10]);
  });
});

describe("what somebody does while it is read", () => {
  let it: Awaited<ReturnType<typeof world>>;
  beforeEach(async () => {
    it = await world(30, [10, 20]);
  });
  const fault = async (change: Partial<ChainSources> = {}) => (await verifyFrom(EMPTY_CHAIN, { ...it.sources, ...change })).fault;

  test("the end cut off after the ledger was asked for its head", async () => {
    it.events.splice(25);
    expect(await fault()).toEqual({ brokenAt: 26, reason: "events-truncated" });
  });

  test("an event put behind the last, which the ledger never wrote", async () => {
    it.events.push(...chainOf(1, it.sources.live.newest));
    expect(await verifyFrom(EMPTY_CHAIN, it.sources)).toEqual({ upTo: it.sources.live.sent, complete: false, fault: { brokenAt: 31, reason: "event-surplus" }, discrepancies: [] });
  });

  test.each([0, -1, Number.MIN_SAFE_INTEGER + 1])("an event put before the first, as number %d", async (seq) => {
    it.events.unshift({ ...(it.events[0] as StoredEvent), seq });
    expect(await fault()).toEqual({ brokenAt: seq, reason: "event-surplus" });
  });

  test.each([["no number", "31"], ["half a number", 30.5], ["a number beyond counting", 2 ** 53]])("a last row that bears %s", async (_, seq) => {
    expect(await fault({ lastSeq: async () => seq })).toEqual({ brokenAt: 31, reason: "event-surplus" });
  });

  test("an event in the middle altered: it is the first that does not hold, and nothing after it is said to", async () => {
    it.events[16] = { ...(it.events[16] as StoredEvent), actor: "somebody else" };
    expect(await verifyFrom(EMPTY_CHAIN, it.sources)).toEqual({ upTo: headOf(it.events[15] as StoredEvent), complete: false, fault: { brokenAt: 17, reason: "event-altered" }, discrepancies: [] });
  });

  test("the whole chain written anew, well linked: no signed head fits, nor the ledger's own", async () => {
    let head = EMPTY_CHAIN;
    const anew = it.events.map((_, i) => {
      const entry = chain(TENANT, head, { action: "LEASE_GRANTED", actor: "key_2", details: { i } }, 1_000 + i);
      head = entry;
      return stored(entry);
    });
    it.events.splice(0, 30, ...anew);
    expect(await fault()).toEqual({ brokenAt: 10, reason: "signed-head-mismatch" });
    const heads = { list: async () => [], get: async () => null, has: async () => false };
    expect(await fault({ heads, live: { ...it.sources.live, signed: null } })).toEqual({ brokenAt: 30, reason: "head-mismatch" });
  });

  test("the text of a signed head gone or altered, though its name stands, the last one's too", async () => {
    const whole = await world(30, [10, 30]);
    for (const seq of [10, 30]) {
      const resigned = await signHead(TENANT, headOf(whole.events[seq - 1] as StoredEvent), null, 9_000, settings);
      for (const text of [null, resigned, ""]) {
        const heads = { ...whole.sources.heads, get: (name: HeadName) => (name.seq === seq ? Promise.resolve(text) : whole.sources.heads.get(name)) };
        expect((await verifyFrom(EMPTY_CHAIN, { ...whole.sources, heads })).fault).toEqual({ brokenAt: seq, reason: "signed-head-invalid" });
      }
    }
  });

  test.each([0, -1, Number.MIN_SAFE_INTEGER, -(2 ** 60), -1e300, 1.5])("an event under the number %d", async (seq) => {
    it.events.push({ ...(it.events[0] as StoredEvent), seq });
    it.events.sort((a, b) => a.seq - b.seq);
    expect((await fault())?.reason).toBe("event-surplus");
  });

  test("the same chain from its first event on, with other words", async () => {
    const forged = chainOf(30).map((event) => ({ ...event }));
    it.events.splice(0, 30, ...forged.map((_, index) => stored(chain(TENANT, index === 0 ? EMPTY_CHAIN : { seq: index, hash: "0".repeat(64), at: 0 }, { action: "LEASE_DENIED", actor: "x", details: {} }, 1))));
    expect(await fault()).toEqual({ brokenAt: 2, reason: "link-broken" });
  });

  test("a whole chain of another tenant", async () => {
    const foreign: StoredEvent[] = [];
    let head = EMPTY_CHAIN;
    for (let i = 0; i < 30; i++) {
      const entry = chain("globex", head, { action: "LEASE_GRANTED", actor: "key_1", details: { i } }, 1_000 + i);
      foreign.push(stored(entry));
      head = entry;
    }
    it.events.splice(0, 30, ...foreign);
    expect(await fault()).toEqual({ brokenAt: 1, reason: "event-altered" });
  });

  test("a signed head of another tenant, of another issuer's key, or a lease in its place", async () => {
    const [target] = [...it.texts.values()] as [{ name: HeadName; jws: string }];
    const put = (jws: string) => {
      it.texts.delete(target.name.sha256);
      it.texts.set(sha256Hex(jws), { name: { seq: target.name.seq, sha256: sha256Hex(jws) }, jws });
    };
    put(await signHead("globex", headOf(it.events[9] as StoredEvent), null, 5_000, settings));
    expect(await fault()).toEqual({ brokenAt: 10, reason: "signed-head-invalid" });
    put(await signHead(TENANT, headOf(it.events[9] as StoredEvent), null, 5_000, freshSettings()));
    expect(await fault()).toEqual({ brokenAt: 10, reason: "signed-head-invalid" });
  });

  test("a signed head that names another event than its place", async () => {
    const jws = await signHead(TENANT, headOf(it.events[8] as StoredEvent), null, 5_000, settings);
    it.texts.set(sha256Hex(jws), { name: { seq: 10, sha256: sha256Hex(jws) }, jws });
    expect(await fault()).toEqual({ brokenAt: 10, reason: "signed-head-invalid" });
  });

  test("a signed head gone, the first or the last", async () => {
    const [first, last] = [...it.texts.keys()] as [string, string];
    const kept = it.texts.get(first);
    it.texts.delete(first);
    expect(await fault()).toEqual({ brokenAt: 10, reason: "signed-head-missing" });
    it.texts.set(first, kept as NonNullable<typeof kept>);
    it.texts.delete(last);
    expect(await fault()).toEqual({ brokenAt: 20, reason: "signed-head-missing" });
  });

  test("a ledger that knows less than was signed", async () => {
    const back = headOf(it.events[14] as StoredEvent);
    it.events.splice(15);
    const live = { ...it.sources.live, sent: back, newest: back, signed: [...it.texts.values()][0]?.name ?? null };
    expect(await fault({ live, liveNow: async () => live })).toEqual({ brokenAt: 16, reason: "signed-head-ahead" });
  });
});
