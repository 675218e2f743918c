/**
 * The tenant's webhooks and the log of their deliveries. Each method runs inside the object's transaction.
 *
 * - A message is queued for every webhook that subscribes to its type, in the transaction of the event that it tells of:
 *   what is recorded is sent, at least once, and what is undone is not.
 * - A delivery's body is kept as it is sent. Deliveries that are over are kept for 30 days.
 * - An attempt takes its delivery out of the queue for `CLAIM_MS`, longer than it can last: no other attempt sends it
 *   meanwhile, and one whose object died is made again after that.
 */
import type { Delivery, DeliveryId, Webhook, WebhookEvent, WebhookId } from "../../schema/contract/webhooks.ts";
import { toTimestamp } from "../../schema/contract/amounts.ts";
import { sortableId } from "../../schema/contract/ids.ts";
import type { Message } from "../webhooks/messages.ts";
import { type Outcome, nextStep } from "../webhooks/schedule.ts";
import type { Row, Store } from "./store.ts";

interface WebhookRow extends Row {
  id: string;
  url: string;
  events: string;
  secret_box: string;
  created_at: number;
  disabled_at: number | null;
}

export interface DeliveryRow extends Row {
  id: string;
  webhook_id: string;
  event_id: string;
  type: string;
  body: string;
  state: string;
  attempts: string;
  tries: number;
  next_at: number | null;
  created_at: number;
}

export interface StoredWebhook extends Omit<Webhook, "created_at" | "disabled_at"> {
  /** The signing secret, sealed. */
  readonly secretBox: string;
  readonly createdAt: number;
  readonly disabledAt: number | null;
}

interface Attempt extends Outcome {
  readonly at: number;
  readonly latencyMs: number;
}

/** Three times what an address gets (worker/webhooks/send.ts). */
const CLAIM_MS = 30_000;
const KEEP_MS = 30 * 86_400_000;

const fromRow = (row: WebhookRow): StoredWebhook => ({
  id: row.id as WebhookId,
  url: row.url,
  events: JSON.parse(row.events) as WebhookEvent[],
  secretBox: row.secret_box,
  createdAt: row.created_at,
  disabledAt: row.disabled_at,
});

export class WebhookBook {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  add(id: WebhookId, url: string, events: readonly WebhookEvent[], secretBox: string, now: number): void {
    this.#store.run("INSERT INTO webhooks (id, url, events, secret_box, created_at) VALUES (?, ?, ?, ?, ?)", id, url, JSON.stringify(events), secretBox, now);
  }

  find(id: string): StoredWebhook | null {
    const row = this.#store.first<WebhookRow>("SELECT id, url, events, secret_box, created_at, disabled_at FROM webhooks WHERE id = ?", id);
    return row && fromRow(row);
  }

  list(after: string, limit: number): StoredWebhook[] {
    return this.#store.all<WebhookRow>("SELECT id, url, events, secret_box, created_at, disabled_at FROM webhooks WHERE id > ? ORDER BY id LIMIT ?", after, limit).map(fromRow);
  }

  count(): number {
    return this.#store.first<{ n: number }>("SELECT count(*) AS n FROM webhooks")?.n ?? 0;
  }

  /** With its log. */
  delete(id: string): void {
    this.#store.run("DELETE FROM webhooks WHERE id = ?", id);
    this.#store.run("DELETE FROM deliveries WHERE webhook_id = ?", id);
  }

  /** Queues a message for whoever subscribes to it; whether anybody does. */
  publish(message: Message, now: number): boolean {
    const subscribed = this.#store
      .all<WebhookRow>("SELECT id, url, events, secret_box, created_at, disabled_at FROM webhooks WHERE disabled_at IS NULL")
      .map(fromRow)
      .filter((webhook) => webhook.events.includes(message.type));
    for (const { id } of subscribed) {
      this.#store.run(
        "INSERT INTO deliveries (id, webhook_id, event_id, type, body, state, attempts, tries, next_at, created_at) VALUES (?, ?, ?, ?, ?, 'pending', '[]', 0, ?, ?)",
        `dl_${sortableId(now)}`, id, message.id, message.type, message.body, now, now,
      );
    }
    return subscribed.length > 0;
  }

  /** Newest first, before the delivery `before`. */
  deliveries(webhook: string, before: string, limit: number): DeliveryRow[] {
    return this.#store.all<DeliveryRow>("SELECT * FROM deliveries WHERE webhook_id = ? AND id < ? ORDER BY id DESC LIMIT ?", webhook, before, limit);
  }

  delivery(webhook: string, id: string): DeliveryRow | null {
    return this.#store.first<DeliveryRow>("SELECT * FROM deliveries WHERE webhook_id = ? AND id = ?", webhook, id);
  }

  /** Takes what is due for an attempt each, so that at most `limit` are under way at one time. */
  claimDue(now: number, limit: number): DeliveryRow[] {
    const free = limit - (this.#store.first<{ n: number }>("SELECT count(*) AS n FROM deliveries WHERE next_at > ? AND state = 'sending'", now)?.n ?? 0);
    const due = this.#store.all<DeliveryRow>("SELECT * FROM deliveries WHERE next_at <= ? ORDER BY next_at LIMIT ?", now, Math.max(0, free));
    for (const { id } of due) this.#store.run("UPDATE deliveries SET state = 'sending', next_at = ? WHERE id = ?", now + CLAIM_MS, id);
    return due;
  }

  nextDue(): number | null {
    return this.#store.first<{ at: number | null }>("SELECT min(next_at) AS at FROM deliveries WHERE next_at IS NOT NULL")?.at ?? null;
  }

  /** Sends it anew, from the first attempt on; what was tried stays in its log. */
  replay(id: string, now: number): void {
    this.#store.run("UPDATE deliveries SET state = 'pending', tries = 0, next_at = ? WHERE id = ?", now, id);
  }

  /** Notes an attempt that was made of the delivery as `claimDue` gave it. True where the address is gone and the webhook is disabled for it. */
  settle(id: string, attempt: Attempt): boolean {
    // It may have been deleted or replayed while the attempt was on its way.
    const row = this.#store.first<DeliveryRow>("SELECT * FROM deliveries WHERE id = ?", id);
    if (!row) return false;
    const next = nextStep(attempt, row.tries, attempt.at);
    // Failed meanwhile: its webhook was disabled, and nothing is sent to it again.
    const again = next.kind === "again" && row.state !== "failed" ? next.at : null;
    const state = again !== null ? "pending" : next.kind === "delivered" ? "delivered" : "failed";
    this.#store.run(
      "UPDATE deliveries SET state = ?, tries = tries + 1, next_at = ?, attempts = ? WHERE id = ?",
      state, again, JSON.stringify([...(JSON.parse(row.attempts) as Attempt[]), attempt]), id,
    );
    if (next.kind !== "gone") return false;
    this.#store.run("UPDATE webhooks SET disabled_at = ? WHERE id = ?", attempt.at, row.webhook_id);
    this.#store.run("UPDATE deliveries SET state = 'failed', next_at = NULL WHERE webhook_id = ? AND state IN ('pending', 'sending')", row.webhook_id);
    return true;
  }

  forgetOld(now: number): void {
    this.#store.run("DELETE FROM deliveries WHERE next_at IS NULL AND created_at <= ?", now - KEEP_MS);
  }
}

/** The webhook as the API shows it. */
export const toWebhook = ({ id, url, events, createdAt, disabledAt }: StoredWebhook): Webhook => ({
  id,
  url,
  events: [...events],
  created_at: toTimestamp(createdAt),
  disabled_at: disabledAt === null ? null : toTimestamp(disabledAt),
});

export const toDelivery = (row: DeliveryRow): Delivery => ({
  id: row.id as DeliveryId,
  event_id: row.event_id,
  type: row.type as WebhookEvent,
  state: row.state === "sending" ? "pending" : (row.state as Delivery["state"]),
  created_at: toTimestamp(row.created_at),
  next_attempt_at: row.next_at === null ? null : toTimestamp(row.next_at),
  attempts: (JSON.parse(row.attempts) as Attempt[]).map(({ at, status, error, latencyMs }) => ({ at: toTimestamp(at), status, error, latency_ms: latencyMs })),
  message: JSON.parse(row.body) as Record<string, unknown>,
});
