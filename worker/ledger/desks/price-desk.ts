/** The price book: read, and written ahead of time. */
import { toTimestamp } from "../../../schema/contract/amounts.ts";
import type { PriceCreate, PriceEntry } from "../../../schema/contract/prices.ts";
import { readConfig } from "../config.ts";
import { toPriceEntry } from "../price-book.ts";
import { type Result, done, refuse } from "../result.ts";
import type { Call, Room } from "../room.ts";

export class PriceDesk {
  readonly #room: Room;

  constructor(room: Room) {
    this.#room = room;
  }

  list(call: Call, model: string | null, after: { model: string; effectiveAt: number } | null, limit: number): Result<PriceEntry[]> {
    const { prices, store } = this.#room;
    return this.#room.as(call, (_who, now) => {
      const { priceFloor } = readConfig(store).profile;
      const inForce = new Map<string, number | null>();
      return done(
        prices.list(model, after, limit).map((price) => {
          if (!inForce.has(price.model)) inForce.set(price.model, prices.inForce(price.model, now));
          return toPriceEntry(price, prices.effective(price, now, priceFloor, this.#base(price.model)), inForce.get(price.model) === price.effectiveAt);
        }),
      );
    });
  }

  #base(model: string): string | null {
    return this.#room.shelf.live(model)?.facts.base?.model ?? null;
  }

  set(call: Call, model: string, body: PriceCreate): Result<PriceEntry> {
    const room = this.#room;
    return room.as(call, (who, now) =>
      room.idempotency.once(call.idempotent ?? null, now, () => {
        if (!room.shelf.live(model)) return refuse("model-not-available", `This tenant has no model ${model}. Publish it: its first revision brings its first prices.`);
        const { effective_at, ...prices } = body;
        const effectiveAt = effective_at === undefined ? now : Date.parse(effective_at);
        if (effectiveAt < now) return refuse("invalid-request", `effective_at has passed: it is ${toTimestamp(now)}. A price never changes for what was granted before it; leave effective_at out for now.`);
        const price = room.prices.set(model, prices, effectiveAt, who.actor, now);
        room.log(now, { action: "PRICES_SET", actor: who.actor, model, requestId: call.requestId, details: { prices, effective_at: toTimestamp(effectiveAt) } });
        return done(toPriceEntry(price, room.prices.effective(price, now, readConfig(room.store).profile.priceFloor, this.#base(model)), effectiveAt === now));
      }),
    );
  }
}
