/**
 * Sends one message to one address, signed as Standard Webhooks says. Never throws: what went wrong is the outcome.
 *
 * - The address is judged again before every attempt; redirects are not followed; the answer's body is not read.
 * - An address that does not answer within `TIMEOUT_MS` has not answered.
 */
import { Webhook } from "standardwebhooks";
import { judgeDestination } from "./destination.ts";
import type { Outcome } from "./schedule.ts";

const TIMEOUT_MS = 10_000;

export interface Parcel {
  readonly url: string;
  /** The message's id: the same on every attempt. */
  readonly id: string;
  readonly body: string;
  readonly secret: string;
}

export async function send({ url, id, body, secret }: Parcel, allowed: { local: boolean }, now: number): Promise<Outcome> {
  const verdict = judgeDestination(url, allowed);
  if (!verdict.ok) return { status: null, error: `the address ${verdict.reason}` };
  // A timer of our own, ended with the attempt: one that ran on would keep the object from being put away.
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), TIMEOUT_MS);
  try {
    const response = await fetch(verdict.url, {
      method: "POST",
      redirect: "manual",
      signal: late.signal,
      headers: {
        "content-type": "application/json",
        "user-agent": "Leasehold-Webhooks/1",
        "webhook-id": id,
        "webhook-timestamp": String(Math.floor(now / 1000)),
        "webhook-signature": new Webhook(secret).sign(id, new Date(now), body),
      },
      body,
    });
    await response.body?.cancel();
    return { status: response.status, error: errorOf(response) };
  } catch {
    return { status: null, error: late.signal.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : "no connection" };
  } finally {
    clearTimeout(timer);
  }
}

function errorOf({ status, ok }: Response): string | null {
  if (ok) return null;
  return status >= 300 && status < 400 ? "redirects are not followed" : `answered ${status}`;
}
