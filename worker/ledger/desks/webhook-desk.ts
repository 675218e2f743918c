/**
 * Webhooks of the tenant: made, listed, deleted, their log and replay; and the chore that sends what is due.
 *
 * - A signing secret is drawn at random, kept sealed under the tenant's data key, and shown once: again only to a repeat
 *   with the idempotency key of its making.
 * - Sending never holds up the ledger: the object serves on while an address is slow, its alarm comes and goes, and a
 *   message that is not delivered is tried again later.
 */
import { sortableId } from "../../../schema/contract/ids.ts";
import type { Delivery, Webhook, WebhookCreate, WebhookCreated, WebhookId } from "../../../schema/contract/webhooks.ts";
import { settingsOf } from "../../env.ts";
import { judgeDestination } from "../../webhooks/destination.ts";
import { send } from "../../webhooks/send.ts";
import { type Result, done, refuse } from "../result.ts";
import type { Call, Chore, Room } from "../room.ts";
import { SecretVault, unlocked } from "../secret-vault.ts";
import { type DeliveryRow, type StoredWebhook, type WebhookBook, toDelivery, toWebhook } from "../webhook-book.ts";

const MAX_WEBHOOKS = 16;
/** Sent at one time. */
const BATCH = 20;
const NO_WEBHOOK = "This tenant has no such webhook.";

export class WebhookDesk {
  readonly #room: Room;
  readonly #book: WebhookBook;
  readonly #vault: SecretVault;

  constructor(room: Room) {
    this.#room = room;
    this.#book = room.webhooks;
    this.#vault = new SecretVault(room.tenant, room.store, settingsOf(room.env).masterKeys);
  }

  create(call: Call, wanted: WebhookCreate): Result<WebhookCreated> {
    return unlocked(this.#room.tenant, () => this.#create(call, wanted));
  }

  #create(call: Call, { url, events }: WebhookCreate): Result<WebhookCreated> {
    const room = this.#room;
    const made = room.as(call, (who, now) =>
      room.idempotency.once(call.idempotent ?? null, now, () => {
        const verdict = judgeDestination(url, this.#allowed);
        if (!verdict.ok) return refuse("invalid-request", `url: ${verdict.reason}. Name an https address on the public internet.`);
        if (this.#book.count() >= MAX_WEBHOOKS) return refuse("conflict", `A tenant may have ${MAX_WEBHOOKS} webhooks and has them. Delete one.`);
        const id = `wh_${sortableId(now)}` as WebhookId;
        this.#book.add(id, verdict.url.href, events, this.#vault.seal(newSecret(), placeOf(id), now), now);
        room.log(now, { action: "WEBHOOK_CREATED", actor: who.actor, requestId: call.requestId, details: { webhook_id: id, url: verdict.url.href, events } });
        return done({ id });
      }),
    );
    if (!made.ok) return made;
    const webhook = this.#book.find(made.value.id);
    if (!webhook) return refuse("not-found", NO_WEBHOOK); // made under this idempotency key, and deleted since
    return done({ ...toWebhook(webhook), secret: this.#secretOf(webhook, Date.now()) });
  }

  list(call: Call, after: string, limit: number): Result<Webhook[]> {
    return this.#room.as(call, () => done(this.#book.list(after, limit).map(toWebhook)));
  }

  delete(call: Call, id: string): Result<Webhook> {
    const room = this.#room;
    return room.as(call, (who, now) => {
      const webhook = this.#book.find(id);
      if (!webhook) return refuse("not-found", NO_WEBHOOK);
      this.#book.delete(id);
      room.log(now, { action: "WEBHOOK_DELETED", actor: who.actor, requestId: call.requestId, details: { webhook_id: id, url: webhook.url } });
      return done(toWebhook(webhook));
    });
  }

  deliveries(call: Call, id: string, before: string, limit: number): Result<Delivery[]> {
    return this.#room.as(call, () => (this.#book.find(id) ? done(this.#book.deliveries(id, before, limit).map(toDelivery)) : refuse("not-found", NO_WEBHOOK)));
  }

  replay(call: Call, id: string, deliveryId: string): Result<Delivery> {
    const room = this.#room;
    return room.as(call, (who, now) => room.idempotency.once(call.idempotent ?? null, now, () => {
      const webhook = this.#book.find(id);
      if (!webhook) return refuse("not-found", NO_WEBHOOK);
      if (webhook.disabledAt !== null) return refuse("conflict", "The address of this webhook answered that it is gone. Make a new webhook.");
      const delivery = this.#book.delivery(id, deliveryId);
      if (!delivery) return refuse("not-found", "This webhook has no such delivery.");
      this.#book.replay(deliveryId, now);
      room.log(now, { action: "WEBHOOK_REPLAYED", actor: who.actor, requestId: call.requestId, details: { webhook_id: id, delivery_id: deliveryId, event_id: delivery.event_id } });
      room.arm(now);
      return done(toDelivery(this.#book.delivery(id, deliveryId) as DeliveryRow));
    }));
  }

  get chore(): Chore {
    return {
      name: "webhooks",
      aside: true,
      nextAt: () => this.#book.nextDue(),
      run: async (now) => {
        const claimed = this.#room.transact(() => this.#book.claimDue(now, BATCH));
        await Promise.all(claimed.map((delivery) => this.#attempt(delivery, now)));
      },
    };
  }

  async #attempt(delivery: DeliveryRow, now: number): Promise<void> {
    const webhook = this.#book.find(delivery.webhook_id);
    if (!webhook) return;
    const secret = unlocked(this.#room.tenant, () => done(this.#secretOf(webhook, now)));
    const outcome = secret.ok
      ? await send({ url: webhook.url, id: delivery.event_id, body: delivery.body, secret: secret.value }, this.#allowed, now)
      : { status: null, error: "the signing secret does not open" };
    this.#room.transact(() => {
      const gone = this.#book.settle(delivery.id, { ...outcome, at: now, latencyMs: Date.now() - now });
      if (gone) this.#room.log(Date.now(), { action: "WEBHOOK_DISABLED", actor: "system", details: { webhook_id: webhook.id, url: webhook.url } });
    });
  }

  #secretOf(webhook: StoredWebhook, now: number): string {
    return this.#vault.unseal(webhook.secretBox, placeOf(webhook.id), now);
  }

  get #allowed(): { local: boolean } {
    return { local: settingsOf(this.#room.env).webhookDestinations === "local" };
  }
}

/** Names of secrets hold no colon: no secret of the tenant is sealed in this place. */
const placeOf = (id: WebhookId) => `webhook:${id}`;

function newSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return `whsec_${btoa(String.fromCharCode(...bytes))}`;
}
