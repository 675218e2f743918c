/**
 * What each step of a lease's life changes in the windows that it is charged to. Pure.
 *
 * - A grant holds; a report moves what it names from held to posted; the last report gives the rest of the hold back;
 *   an end without one posts the rest. Every window of a lease (day of the tenant, of its user, of its key; the sliding
 *   minute) gets the same change, and the sum over a lease's life is `held: 0`.
 * - Tokens are held one for one. Money is held at the dearer price and posted at the price of what was used, so that
 *   a lease never posts more than it held.
 * - A report tells of so many calls; one that doesn't say is the lease's one call, or goes on with it. What used
 *   tokens, or ran and doesn't deny a call, is one at least, once a lease.
 * - The caller has checked that usage does not exceed what is left of the hold, tokens and calls.
 */
import { ceilingNanos, costNanos } from "../../schema/contract/measure.ts";
import type { Prices } from "../../schema/contract/models.ts";

/** Added to a window: tokens and nano-dollars. */
export interface Change {
  readonly held: number;
  readonly posted: number;
  readonly heldNanos: number;
  readonly postedNanos: number;
}

/** What the arithmetic needs to know of an active lease. */
export interface Account {
  readonly purpose: "inference" | "download";
  readonly prices: Prices;
  readonly hold: number;
  readonly holdNanos: number;
  /** Calls that the hold has the price of; none of a download's. */
  readonly holdCalls: number;
  /** Tokens that reports have named so far. */
  readonly reported: number;
  /** Nano-dollars posted so far. */
  readonly costNanos: number;
  /** Calls charged so far. */
  readonly calls: number;
}

export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** As the report says; null where it doesn't. */
  readonly calls: number | null;
  /** Whether the model ran at all: a failure before that costs no call. */
  readonly ran: boolean;
  readonly final: boolean;
}

/** A change, and what the lease and its cost record note of it. */
export interface Charge {
  readonly change: Change;
  /** Tokens posted. */
  readonly tokens: number;
  readonly costNanos: number;
  readonly calls: number;
  /** Tokens given back. */
  readonly refund: number;
}

export const grantChange = (tokens: number, nanos: number): Change => ({ held: tokens, posted: 0, heldNanos: nanos, postedNanos: 0 });

export function reportCharge(account: Account, usage: Usage): Charge {
  const tokens = usage.inputTokens + usage.outputTokens;
  const first = account.purpose === "inference" && account.calls === 0 && (tokens > 0 || (usage.ran && usage.calls !== 0)) ? 1 : 0;
  const calls = Math.max(first, usage.calls ?? 0);
  const cost = countable(costNanos({ inputTokens: usage.inputTokens, outputTokens: usage.outputTokens, calls }, account.prices));
  const refund = usage.final ? account.hold - account.reported - tokens : 0;
  const refundNanos = usage.final ? account.holdNanos - account.costNanos - cost : 0;
  return { change: { held: -(tokens + refund), posted: tokens, heldNanos: -(cost + refundNanos), postedNanos: cost }, tokens, costNanos: cost, calls, refund };
}

/** What no report named is charged whole, at the dearer price: the hold was reserved so. */
export function endCharge(account: Account): Charge {
  const tokens = account.hold - account.reported;
  const calls = account.holdCalls - account.calls;
  const cost = countable(ceilingNanos(tokens, account.prices, calls));
  return { change: { held: -tokens, posted: tokens, heldNanos: account.costNanos - account.holdNanos, postedNanos: cost }, tokens, costNanos: cost, calls, refund: 0 };
}

/** The hold was countable (the grant checked it), and no part of it costs more than the whole. */
function countable(nanos: number | null): number {
  if (nanos === null) throw new RangeError("a charge within a hold is more than can be counted");
  return nanos;
}
