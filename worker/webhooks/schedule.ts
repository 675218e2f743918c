/**
 * What follows an attempt to deliver a message. Pure.
 *
 * - 2xx: delivered. 410: the address is gone, nothing more is sent to it. Anything else, a redirect too: again later.
 * - The pauses are those that Standard Webhooks advises; after the last attempt, some three days in, it has failed.
 */

/** Seconds from the attempt with this number (from 0) to the next. */
export const PAUSES = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400] as const;

export interface Outcome {
  /** What the address answered; null where it did not. */
  readonly status: number | null;
  readonly error: string | null;
}

export type Next = { readonly kind: "delivered" } | { readonly kind: "gone" } | { readonly kind: "failed" } | { readonly kind: "again"; readonly at: number };

/** `attempts`: how many there were before this one. */
export function nextStep({ status }: Outcome, attempts: number, now: number): Next {
  if (status !== null && status >= 200 && status < 300) return { kind: "delivered" };
  if (status === 410) return { kind: "gone" };
  const pause = PAUSES[attempts];
  return pause === undefined ? { kind: "failed" } : { kind: "again", at: now + pause * 1000 };
}
