/**
 * One lease for several short calls that come one upon another (embeddings, labels, raw runs), and one report of them.
 *
 * - The first call holds what it needs and is reported at once when nothing follows. A call within `SOON_MS` of the one
 *   before holds for some more like it; the lease is settled when none came for `SOON_MS`, or it is used up or old.
 * - Each call is counted, and paid where calls have a price: a lease holds the price of so many.
 * - More than a call needs is never insisted on: where that is refused, exactly what it needs is asked for.
 * - A page that goes away reports what was delivered (`OpenLease.delivered`), and what runs: nothing is lost, nothing is
 *   counted twice. A run that failed costs nothing.
 * - Leases of another revision than the call's take no more calls.
 */
import { LeaseholdError } from "../../errors.ts";
import type { LeaseDesk, LeaseWish } from "../lease-desk.ts";
import type { OpenLease, Outcome } from "../open-lease.ts";

/** Calls further apart than this have leases of their own. */
const SOON_MS = 1000;
/** A lease in this much of its end takes no more calls. */
const LAST_MS = 30_000;
/** How many calls like the present one are held for, and how many tokens at most beyond it. */
const AHEAD = 16;
const AHEAD_TOKENS = 4096;
const AHEAD_CALLS = 32;

export interface ShortLease {
  readonly lease: OpenLease;
  /** Tokens that are held and in no call's hands. */
  left: number;
  /** Calls that may still begin on it. */
  callsLeft: number;
  /** Calls that hold some of it now. */
  calls: number;
  /** Whether it was asked for with more calls in mind. */
  readonly isShared: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
  runs: number;
}

type Wish = LeaseWish & { readonly tokens: number };

const ofDesks = new WeakMap<LeaseDesk, ShortCalls>();

export class ShortCalls {
  static of(desk: LeaseDesk): ShortCalls {
    const found = ofDesks.get(desk) ?? new ShortCalls(desk);
    ofDesks.set(desk, found);
    return found;
  }

  readonly #desk: LeaseDesk;
  readonly #open = new Map<string, ShortLease>();
  readonly #calledAt = new Map<string, number>();

  constructor(desk: LeaseDesk) {
    this.#desk = desk;
  }

  /** A lease with `tokens` set aside for this call, which ends by `done` or `failed`. */
  async take(wish: Wish): Promise<ShortLease> {
    const { model, tokens, revision } = wish;
    const isSoon = performance.now() - (this.#calledAt.get(model) ?? -Infinity) < SOON_MS;
    this.#calledAt.set(model, performance.now());
    const current = this.#open.get(model);
    const isOfRevision = revision === undefined || current?.lease.grant.model.revision === revision;
    if (current && isOfRevision && !current.lease.isSettled && current.left >= tokens && current.callsLeft > 0 && current.lease.livesMs > LAST_MS) return this.#enter(current, tokens);
    const lease = isSoon ? await this.#askAhead(wish) : await this.#desk.ask(wish);
    const short: ShortLease = { lease, left: lease.grant.hold, callsLeft: lease.grant.calls, calls: 0, isShared: isSoon && lease.grant.hold > tokens && lease.grant.calls > 1, timer: undefined, runs: 0 };
    if (short.isShared) this.#open.set(model, short);
    return this.#enter(short, tokens);
  }

  /** The call began to run: should the page go away now, it is charged. */
  running({ lease }: ShortLease, tokens: number): void {
    lease.runningTokens += tokens;
    lease.runningCalls++;
  }

  /** The call was answered. */
  async done(model: string, short: ShortLease, tokens: number, outcome: Omit<Outcome, "inputTokens" | "outputTokens" | "outcome">): Promise<void> {
    const before = short.lease.delivered;
    short.runs++;
    short.lease.runningTokens -= tokens;
    short.lease.runningCalls--;
    const latencyMs = ((before?.latencyMs ?? 0) * (short.runs - 1) + outcome.latencyMs) / short.runs;
    short.lease.delivered = { ...outcome, outcome: "ok", latencyMs, inputTokens: (before?.inputTokens ?? 0) + tokens, outputTokens: 0, calls: (before?.calls ?? 0) + 1 };
    await this.#leave(model, short);
  }

  /** The call came to nothing. One that was stopped while it ran is charged; any other gives its tokens back. */
  async failed(model: string, short: ShortLease, tokens: number, hasRun: boolean, error: LeaseholdError): Promise<void> {
    if (hasRun) {
      short.lease.runningTokens -= tokens;
      short.lease.runningCalls--;
    }
    const isCharged = hasRun && error.code === "aborted";
    const { delivered } = short.lease;
    if (isCharged && delivered) short.lease.delivered = { ...delivered, inputTokens: delivered.inputTokens + tokens, calls: (delivered.calls ?? 0) + 1 };
    if (!isCharged) {
      short.left += tokens;
      short.callsLeft++;
    }
    if (short.lease.delivered || short.calls > 1) return this.#leave(model, short);
    this.#drop(model, short);
    short.calls--;
    if (isCharged) [short.lease.runningTokens, short.lease.runningCalls] = [tokens, 1];
    await this.#desk.abandon(short.lease, error);
  }

  /** A lease that turned out to be for another revision. */
  async giveBack(model: string, short: ShortLease, error: LeaseholdError): Promise<void> {
    this.#drop(model, short);
    short.calls--;
    if (short.calls === 0) await (short.lease.delivered ? this.#desk.settle(short.lease, short.lease.delivered) : this.#desk.abandon(short.lease, error));
  }

  #enter(short: ShortLease, tokens: number): ShortLease {
    clearTimeout(short.timer);
    short.left -= tokens;
    short.callsLeft--;
    short.calls++;
    return short;
  }

  async #leave(model: string, short: ShortLease): Promise<void> {
    short.calls--;
    this.#calledAt.set(model, performance.now());
    if (short.calls > 0) return;
    if (short.isShared && this.#open.get(model) === short && short.left > 0 && short.callsLeft > 0) {
      short.timer = setTimeout(() => {
        this.#drop(model, short);
        void this.#settle(short);
      }, SOON_MS);
      return;
    }
    this.#drop(model, short);
    await this.#settle(short);
  }

  async #settle(short: ShortLease): Promise<void> {
    if (short.lease.delivered) await this.#desk.settle(short.lease, short.lease.delivered);
    else await this.#desk.abandon(short.lease, new LeaseholdError("aborted", "No call came of it."));
  }

  #drop(model: string, short: ShortLease): void {
    clearTimeout(short.timer);
    if (this.#open.get(model) === short) this.#open.delete(model);
  }

  async #askAhead(wish: Wish): Promise<OpenLease> {
    const ahead = Math.min(wish.tokens * AHEAD, AHEAD_TOKENS);
    try {
      return await this.#desk.ask({ ...wish, tokens: wish.tokens + ahead, calls: 1 + AHEAD_CALLS });
    } catch (error) {
      if (!(error instanceof LeaseholdError) || error.limit === undefined) throw error;
      return this.#desk.ask(wish);
    }
  }
}
