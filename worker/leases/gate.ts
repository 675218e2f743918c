/**
 * Answers floods of refusals without asking the tenant object: who is far above a limit of requests a minute costs the
 * others no call of the object, no body that is read, and little of the memory that a collection has to clear.
 *
 * - It never grants. It repeats, to the same credential from the same page, the object's own refusal, for as long as the
 *   object said (`holdUntil`): a second at most, and never past the instant at which the limit lets the next one in.
 *   A limit that is raised, or a key that is revoked, is so heard of by a flood up to a second late.
 * - A call with an Idempotency-Key always goes to the object: it may repeat one that was granted.
 * - What it refuses is counted, and the count handed to the object when the hold ends. An isolate that dies before loses
 *   that second's count.
 */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { AppEnv } from "../http/app-env.ts";
import type { Entered } from "../http/enter.ts";
import { problemResponse } from "../http/problem.ts";
import type { Refusal, Result } from "../ledger/result.ts";
import type { Presented } from "../tenants/credential.ts";

/** Callers that are held at one time; more of them ask the object. */
const MAX_HELD = 10_000;

interface Held {
  readonly refusal: Refusal;
  readonly until: number;
  withheld: number;
}

export class RefusalGate {
  readonly #held = new Map<string, Held>();

  /** What this caller is to be told now, which counts as told; null: the object is to be asked. */
  refusalFor(caller: string, now: number): Refusal | null {
    const held = this.#held.get(caller);
    if (!held || now >= held.until) return null;
    held.withheld += 1;
    return held.refusal;
  }

  /** Whether it is held from now on, so that its count has to be taken by `release`; not where it was already. */
  hold(caller: string, refusal: Refusal, until: number, now: number): boolean {
    const before = this.#held.get(caller);
    if ((before && now < before.until) || (!before && this.#held.size >= MAX_HELD)) return false;
    this.#held.set(caller, { refusal, until, withheld: before?.withheld ?? 0 });
    return true;
  }

  /** How many refusals were told since. */
  release(caller: string): number {
    const withheld = this.#held.get(caller)?.withheld ?? 0;
    this.#held.delete(caller);
    return withheld;
  }
}

/** One for each isolate. */
const gate = new RefusalGate();

/** To stand behind `admit`, before the body is read. */
export const refuseFlood = createMiddleware<AppEnv>(async (c, next) => {
  const caller = callerOf(c);
  const refusal = caller === null ? null : gate.refusalFor(caller, Date.now());
  return refusal ? problemResponse(c, { refusal, errors: undefined, headers: {} }) : next();
});

/** Takes the object at its word, where it said that this refusal holds for a while. */
export function heed(c: Context<AppEnv>, answer: Result<unknown>, { object, call }: Entered): void {
  if (answer.ok || answer.refusal.holdUntil === undefined) return;
  const { code, holdUntil } = answer.refusal;
  const caller = callerOf(c);
  const now = Date.now();
  if (caller === null || !gate.hold(caller, answer.refusal, holdUntil, now)) return;
  const handOver = async () => {
    await scheduler.wait(Math.max(0, holdUntil - now));
    const withheld = gate.release(caller);
    if (withheld > 0) await object.leases.countWithheld(call, code, withheld);
  };
  c.executionCtx.waitUntil(
    handOver().catch((cause) => console.warn(JSON.stringify({ level: "warn", message: "a count of refusals was lost", tenant: call.tenant, code, error: String(cause) }))),
  );
}

function callerOf(c: Context<AppEnv>): string | null {
  const presented: Presented = c.get("presented");
  if (presented.kind !== "key" || c.req.header("idempotency-key") !== undefined) return null;
  return `${presented.hash} ${presented.fromEmbed ? "embed" : (presented.origin ?? "")}`;
}
