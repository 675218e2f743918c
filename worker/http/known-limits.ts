/**
 * The limits as the tenant object told them last, by credential, as far as this isolate has heard: for answers that are
 * given without asking it. A request that is refused for its form alone costs no call of the object.
 *
 * - At most `KEEP_MS` old; a window that has ended since is left out. What an isolate has not heard it does not say.
 * - To the very credential alone that they were told to, and never the balance of a user: the next request may be
 *   another user's.
 */
import type { Balance, Quota } from "../../schema/contract/policy.ts";

const KEEP_MS = 60_000;
const MOST = 1_000;

interface Told {
  readonly at: number;
  readonly quota: Partial<Quota>;
}

export class KnownLimits {
  readonly #told = new Map<string, Told>();

  /** `quota`: all of it, or what an answer said; the rest stays as it was told before. */
  hear(holder: string, { per_user_daily_tokens: _, ...quota }: Partial<Quota>, now: number): void {
    const before = this.#fresh(holder, now);
    this.#told.delete(holder); // it comes last again
    const oldest = this.#told.keys().next();
    if (this.#told.size >= MOST && !oldest.done) this.#told.delete(oldest.value);
    const isWhole = "daily_token_limit" in quota;
    this.#told.set(holder, before && !isWhole ? { at: before.at, quota: { ...before.quota, ...quota } } : { at: now, quota });
  }

  of(holder: string, now: number): Partial<Quota> {
    const stillRuns = ([, balance]: [string, Balance]) => balance.reset === null || Date.parse(balance.reset) > now;
    return Object.fromEntries(Object.entries(this.#fresh(holder, now)?.quota ?? {}).filter(stillRuns));
  }

  #fresh(holder: string, now: number): Told | null {
    const told = this.#told.get(holder);
    return told && now - told.at < KEEP_MS ? told : null;
  }
}
