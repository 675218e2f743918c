/** What passes spare the object, and how long and how far reads go on under one after the object would refuse them. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { makeProof, makeProofKey } from "../../../schema/contract/dpop-proof.ts";
import type { LeaseId, Sha256 } from "../../../schema/contract/ids.ts";
import { CHUNK_BYTES } from "../../../schema/contract/models.ts";
import { type Proof, verifyProof } from "../../../worker/leases/dpop.ts";
import { BookKeeper } from "../../../worker/ledger/books.ts";
import type { Delivered } from "../../../worker/ledger/desks/model-desk.ts";
import { EgressPasses } from "../../../worker/ledger/egress-passes.ts";
import { Mirrors } from "../../../worker/ledger/mirrors.ts";
import { ProofLog } from "../../../worker/ledger/proof-log.ts";
import { type HeldPass, type Pass, Passes, type SpentPass } from "../../../worker/models/passes.ts";
import { memoryStore } from "../../support/sqlite-storage.ts";

const LEASE = "ls_acme_1" as LeaseId;
const DIGEST = "a".repeat(64) as Sha256;
const UNKNOWN = "b".repeat(64) as Sha256;
const MIB = 1024 ** 2;
const START = Date.UTC(2026, 10, 20);
const identity = { tenant: "acme", isolation: "pooled", actor: LEASE, kind: "lease", keyId: null, leaseId: LEASE } as unknown as Pass["identity"];
const egress = { limit: null, held: 0, posted: 0, remaining: null, reset: null };
const GET = { method: "GET", range: undefined, ifRange: undefined, ifNoneMatch: undefined, ifMatch: undefined };

beforeEach(() => void vi.useFakeTimers({ now: START, toFake: ["Date"] }));
afterEach(() => void vi.useRealTimers());

/** The books of the object that passes and proofs are of, and isolates that read chunks of a large model. */
function object(clock = () => Date.now()) {
  const { store } = memoryStore();
  const books = new BookKeeper(store, new Mirrors());
  const drawn = new EgressPasses(store, books);
  const proofs = new ProofLog();
  const state = { revoked: false, asks: 0, settles: 0 };
  const settle = async (spent: SpentPass) => {
    drawn.settle(spent.id, spent.used);
    proofs.giveBack(spent.lease, spent.id, spent.proofs);
  };
  const deliver = async (proof: Proof | null, spent: SpentPass | null): Promise<Delivered> => {
    state.asks++;
    if (spent) await settle(spent);
    const verdict = proof ? proofs.take(LEASE, proof, clock()) : "taken";
    if (verdict !== "taken") throw new Error(verdict);
    if (state.revoked) throw new Error("lease-revoked");
    const pass = proof && !proofs.mayLend(LEASE, clock()) ? null : drawn.draw("2026-11-20", 100 * CHUNK_BYTES, { limit: null, held: 0, posted: 0, resetsAt: 0 }, clock());
    const lent = pass && proof ? proofs.lend(LEASE, pass, clock()) : null;
    return { identity, size: CHUNK_BYTES, delivery: { kind: "whole" }, from: "own", egress, pass: pass && { ...pass, identity, egress, chunks: { [DIGEST]: CHUNK_BYTES }, lent: [], proofs: lent } };
  };
  const isolate = () => {
    const passes = new Passes();
    let held: HeldPass | null = null;
    const read = (proof: Proof | null = null, more: { digest?: Sha256; method?: string } = {}) =>
      passes.decide({ lease: LEASE, proof, digest: more.digest ?? DIGEST, conditions: { ...GET, method: more.method ?? "GET" } }, (spent) => deliver(proof, spent), (kept) => (held = kept));
    /** As the Worker does when the pass is over. */
    const end = async () => {
      if (held) await passes.settle(held, (spent) => (state.settles++, settle(spent)));
    };
    return { read, end };
  };
  return { state, proofs, isolate };
}

function reader(clock?: () => number) {
  const { state, isolate } = object(clock);
  return { state, read: isolate().read };
}

describe("after a lease is revoked", () => {
  test("reads go on for less than a second, then the object is asked and refuses", async () => {
    const { state, read } = reader();
    await read();
    state.revoked = true;
    vi.setSystemTime(START + 999);
    await read();
    expect(state.asks).toBe(1);
    vi.setSystemTime(START + 1000);
    await expect(read()).rejects.toThrow("lease-revoked");
  });

  test("and for no more than 64 MiB", async () => {
    const { state, read } = reader();
    await read();
    state.revoked = true;
    let bytes = 0;
    await expect((async () => { for (;;) bytes += (await read()).size; })()).rejects.toThrow("lease-revoked");
    expect(bytes).toBe(64 * MIB);
  });

  test("and no longer where the object's clock is ahead", async () => {
    const { state, read } = reader(() => Date.now() + 60_000);
    await read();
    state.revoked = true;
    vi.setSystemTime(START + 1000);
    await expect(read()).rejects.toThrow("lease-revoked");
  });
});

test("within the second, sixteen chunks ask no further", async () => {
  const { state, read } = reader();
  for (let chunk = 0; chunk < 17; chunk++) await read();
  expect(state.asks).toBe(1);
});

describe("a lease that is bound to a key", () => {
  let made = 0;
  const proofOf = (nonce: string | null, jti = `jti-${made++}`): Proof => ({ jti, nonce, request: `request-${made++}` });

  test("a download of 170 chunks, each with a proof as our client sends it, asks ten times, and once more at its end", async () => {
    const { state, proofs, isolate } = object();
    const { read, end } = isolate();
    const key = await makeProofKey();
    const url = `https://leasehold.test/v1/blobs/${DIGEST}`;
    for (let chunk = 0; chunk < 170; chunk++) {
      const text = await makeProof(key, { method: "GET", url, lease: "the.lease", nonce: proofs.nonce(Date.now()) });
      const proof = await verifyProof(text, { method: "GET", url, lease: "the.lease", jkt: key.jkt }, Date.now());
      await read(proof);
    }
    await end();
    expect([state.asks, state.settles]).toEqual([10, 1]);
  });

  test("a proof that came before is refused: by the isolate, by the object when the pass is over, under the next pass, and by another isolate", async () => {
    const { state, proofs, isolate } = object();
    const [here, there] = [isolate(), isolate()];
    const nonce = proofs.nonce(START);
    const [asked, passed] = [proofOf(nonce), proofOf(nonce)];
    await here.read(asked);
    await here.read(passed);
    expect(state.asks).toBe(1);
    const again = ({ jti }: Proof) => proofOf(nonce, jti);
    for (const proof of [asked, passed]) await expect(here.read(again(proof))).rejects.toMatchObject({ refusal: { code: "invalid-dpop-proof" } });
    vi.setSystemTime(START + 1000);
    for (const proof of [asked, passed]) await expect(here.read(again(proof))).rejects.toMatchObject({ refusal: { code: "invalid-dpop-proof" } });
    await here.end();
    for (const proof of [asked, passed]) await expect(there.read(again(proof))).rejects.toThrow("replayed");
    // The other isolate is lent what was seen with its own pass.
    await there.read(proofOf(nonce));
    const before = state.asks;
    for (const proof of [asked, passed]) await expect(there.read(again(proof))).rejects.toMatchObject({ refusal: { code: "invalid-dpop-proof" } });
    expect(state.asks).toBe(before);
  });

  test("what another isolate takes before the object is told of a pass: one such proof once more, by the object, and no pass of its own", async () => {
    const { state, proofs, isolate } = object();
    const [here, there] = [isolate(), isolate()];
    const nonce = proofs.nonce(START);
    await here.read(proofOf(nonce));
    const proof = proofOf(nonce);
    await here.read(proof);
    const again = () => proofOf(nonce, proof.jti);
    await there.read(again());
    for (let more = 0; more < 3; more++) await expect(there.read(again())).rejects.toThrow("replayed");
    for (let more = 1; more <= 3; more++) {
      await there.read(proofOf(nonce));
      expect(state.asks).toBe(5 + more);
    }
  });

  test("a reader of a chunk every two seconds asks for each, and the object hears of each pass with the next request", async () => {
    const { state, proofs, isolate } = object();
    const { read, end } = isolate();
    for (let chunk = 0; chunk < 10; chunk++) {
      vi.setSystemTime(START + 2_000 * chunk);
      await read(proofOf(proofs.nonce(Date.now())));
    }
    await end();
    expect([state.asks, state.settles]).toEqual([10, 1]);
  });

  test("another isolate has no pass before the object was told of this one, or a while after its end", async () => {
    const { state, proofs, isolate } = object();
    const [here, there] = [isolate(), isolate()];
    const nonce = proofs.nonce(START);
    await here.read(proofOf(nonce));
    vi.setSystemTime(START + 3_999);
    for (let chunk = 0; chunk < 2; chunk++) await there.read(proofOf(nonce));
    expect(state.asks).toBe(3);
    vi.setSystemTime(START + 4_000);
    for (let chunk = 0; chunk < 17; chunk++) await there.read(proofOf(nonce));
    expect(state.asks).toBe(4);
  });

  test("a nonce that the object does not take is asked of the object, under a pass too", async () => {
    const { state, proofs, isolate } = object();
    const { read } = isolate();
    await read(proofOf(proofs.nonce(START)));
    for (const nonce of [null, "made-up"]) await expect(read(proofOf(nonce))).rejects.toThrow("stale");
    expect(state.asks).toBe(3);
  });

  test("a proof that the object was asked about is none for the pass, nor one that comes twice at once", async () => {
    const { proofs, isolate } = object();
    const { read } = isolate();
    const nonce = proofs.nonce(START);
    const twice = [proofOf(nonce, "twice"), proofOf(nonce, "twice")].map((proof) => read(proof));
    expect((await Promise.allSettled(twice)).map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    await read(proofOf(nonce, "elsewhere"), { digest: UNKNOWN });
    await expect(read(proofOf(nonce, "elsewhere"))).rejects.toMatchObject({ refusal: { code: "invalid-dpop-proof" } });
  });

  test("what costs no bytes ends a pass too, after 256 proofs", async () => {
    const { state, proofs, isolate } = object();
    const { read } = isolate();
    const nonce = proofs.nonce(START);
    for (let head = 0; head < 258; head++) await read(proofOf(nonce), { method: "HEAD" });
    expect(state.asks).toBe(2);
  });

  test("a lease that has brought 2,000 proofs gets no more passes", async () => {
    const { state, proofs, isolate } = object();
    const { read } = isolate();
    const nonce = proofs.nonce(START);
    for (let chunk = 0; chunk <= 2_000; chunk++) proofs.take(LEASE, proofOf(nonce), START);
    for (let chunk = 0; chunk < 3; chunk++) await read(proofOf(nonce));
    expect(state.asks).toBe(3);
  });
});

test("where the object did not hear of a pass, it is told again", async () => {
  const passes = new Passes();
  const told: SpentPass[] = [];
  const pass: Pass = { id: "pass_1", bytes: CHUNK_BYTES, until: START + 1000, identity, egress, chunks: { [DIGEST]: CHUNK_BYTES }, lent: [], proofs: null };
  const delivered: Delivered = { identity, size: CHUNK_BYTES, delivery: { kind: "whole" }, from: "own", egress, pass };
  const ask = { lease: LEASE, proof: null, digest: DIGEST, conditions: GET };
  let held: HeldPass | null = null;
  await passes.decide(ask, async () => delivered, (kept) => (held = kept));
  await passes.decide(ask, async () => delivered, () => undefined);
  const down = async (spent: SpentPass | null): Promise<Delivered> => {
    if (spent) told.push(spent);
    throw new Error("unavailable");
  };
  for (let tries = 0; tries < 2; tries++) await expect(passes.decide(ask, down, () => undefined)).rejects.toThrow("unavailable");
  await passes.settle(held as unknown as HeldPass, async (spent) => void told.push(spent));
  expect(told.map(({ id, used }) => [id, used])).toEqual([1, 2, 3].map(() => ["pass_1", CHUNK_BYTES]));
});
