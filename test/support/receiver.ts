/**
 * The internet as webhooks find it: every request that leaves the Worker for `host` is answered here and kept.
 * What is signed is verified as a receiver would, with its own secret. Ends by itself after each test.
 */
import { Webhook } from "standardwebhooks";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, vi } from "vitest";
import { objectOf } from "./tenant.ts";

export interface Received {
  readonly url: string;
  readonly id: string;
  readonly headers: Headers;
  readonly body: string;
  readonly message: { type: string; timestamp: string; data: Record<string, unknown> };
  readonly redirect: string;
}

export interface Receiver {
  readonly received: Received[];
  /** How the next requests are answered, in this order; after them with 200. */
  answer(...with_: (number | Error | ((request: Request) => Response | Promise<Response>))[]): void;
}

export function receiver(): Receiver {
  const received: Received[] = [];
  const answers: (number | Error | ((request: Request) => Response | Promise<Response>))[] = [];
  const spy = vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input as RequestInfo, init as RequestInit);
    const body = await request.clone().text();
    received.push({ url: request.url, id: request.headers.get("webhook-id") ?? "", headers: request.headers, body, message: JSON.parse(body), redirect: request.redirect });
    const next = answers.shift() ?? 200;
    if (next instanceof Error) throw next;
    return typeof next === "function" ? next(request) : new Response(next === 204 || next === 304 ? null : "ok", { status: next });
  });
  afterEach(() => spy.mockRestore());
  return { received, answer: (...with_) => void answers.push(...with_) };
}

/** Throws where the message is not signed with this secret, or is too old. */
export function verifySigned(secret: string, { headers, body }: Received): unknown {
  const named = (name: string) => headers.get(name) ?? "";
  return new Webhook(secret).verify(body, { "webhook-id": named("webhook-id"), "webhook-timestamp": named("webhook-timestamp"), "webhook-signature": named("webhook-signature") });
}

/** Runs the tenant's alarm, and waits for the attempts that it began: the alarm itself does not. */
export async function alarm({ id }: { readonly id: string }): Promise<boolean> {
  const ran = await runDurableObjectAlarm(objectOf(id));
  await settled(id);
  return ran;
}

/** Until no attempt of this tenant is under way. */
export async function settled(id: string): Promise<void> {
  const underWay = () => runInDurableObject(objectOf(id), (_, { storage }) => storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM deliveries WHERE state = 'sending'").one().n);
  await expect.poll(underWay, { interval: 5 }).toBe(0);
}
