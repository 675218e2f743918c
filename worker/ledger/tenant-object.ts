/**
 * The tenant object: the only authority for one tenant's configuration, keys, models, balances and leases.
 *
 * - It opens its desks once it is provisioned; an object that never was refuses everything and writes nothing.
 * - One alarm serves every chore and is always re-armed while a chore has something to do. It awaits none of the chores
 *   that wait for other people's machines: they go on beside it, and re-arm it when they end, however they end.
 * - The Worker is its only caller: `ask` names a desk and a method of it, typed on the Worker's side by `TenantAuthority`.
 */
import { DurableObject } from "cloudflare:workers";
import type { Erasure } from "../../schema/contract/erasure.ts";
import type { Tenant, TenantCreate } from "../../schema/contract/tenants.ts";
import { type Env, settingsOf } from "../env.ts";
import { type Eraser, beginErasure, eraserOf } from "../erasure/eraser.ts";
import { erasedId, toErasure } from "../erasure/progress.ts";
import type { Home, Signpost } from "../tenants/home.ts";
import { CATALOG } from "../catalog/catalog-id.ts";
import { Upkeep } from "../catalog/upkeep.ts";
import { Beginnings } from "./beginnings.ts";
import { Collector } from "./collector.ts";
import { newConfig, readConfig, toTenant, writeConfig } from "./config.ts";
import { AuditDesk } from "./desks/audit-desk.ts";
import { ImportDesk } from "./desks/import-desk.ts";
import { KeyDesk } from "./desks/key-desk.ts";
import { KeyOfCallDesk } from "./desks/key-of-call-desk.ts";
import { LeaseDesk } from "./desks/lease-desk.ts";
import { LendingDesk } from "./desks/lending-desk.ts";
import { LoanDesk } from "./desks/loan-desk.ts";
import { MetricsDesk } from "./desks/metrics-desk.ts";
import { ModelDesk } from "./desks/model-desk.ts";
import { PriceDesk } from "./desks/price-desk.ts";
import { RecordDesk } from "./desks/record-desk.ts";
import { RemovalDesk } from "./desks/removal-desk.ts";
import { ReviewDesk } from "./desks/review-desk.ts";
import { RolloutDesk } from "./desks/rollout-desk.ts";
import { SecretDesk } from "./desks/secret-desk.ts";
import { SessionDesk } from "./desks/session-desk.ts";
import { TenantDesk } from "./desks/tenant-desk.ts";
import { UploadDesk } from "./desks/upload-desk.ts";
import { UserDesk } from "./desks/user-desk.ts";
import { WebhookDesk } from "./desks/webhook-desk.ts";
import { tidyChore } from "./tidy.ts";
import { FollowerBook } from "./follower-book.ts";
import { Gathering } from "./gathering.ts";
import { UserIdentities } from "./user-identities.ts";
import { UNKNOWN_KEY } from "./identify.ts";
import { type Result, done, refuse } from "./result.ts";
import { type Call, type Chore, Room } from "./room.ts";
import { Store } from "./store.ts";

export interface Desks {
  readonly tenants: TenantDesk;
  readonly keys: KeyDesk;
  readonly models: ModelDesk;
  readonly reviews: ReviewDesk;
  readonly rollouts: RolloutDesk;
  readonly uploads: UploadDesk;
  readonly removals: RemovalDesk;
  readonly imports: ImportDesk;
  readonly loans: LoanDesk;
  readonly lending: LendingDesk;
  readonly leases: LeaseDesk;
  readonly records: RecordDesk;
  readonly audit: AuditDesk;
  readonly prices: PriceDesk;
  readonly metrics: MetricsDesk;
  readonly secrets: SecretDesk;
  readonly webhooks: WebhookDesk;
  readonly users: UserDesk;
  readonly sessions: SessionDesk;
  readonly keyOfCall: KeyOfCallDesk;
}

interface House {
  readonly room: Room;
  readonly desks: Desks;
  readonly chores: readonly Chore[];
}

const taken = (tenant: string) => `The tenant ${tenant} exists. Choose another id, or PATCH it.`;
const NO_TENANT = "There is no such tenant, or this credential is not for it.";

export class TenantObject extends DurableObject<Env> {
  readonly #store: Store;
  #house: House | null = null;
  /** Once the tenant's erasure has begun there is no house any more. */
  #eraser: Eraser | null = null;
  readonly #gathering = new Gathering();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new Store(ctx.storage);
    void ctx.blockConcurrencyWhile(async () => {
      this.#eraser = eraserOf(ctx.storage, this.#store, env);
      if (this.#eraser) return this.#eraser.rearm();
      if (!this.#store.isProvisioned()) return;
      const alarmAt = await ctx.storage.getAlarm();
      this.#store.transact(() => this.#store.migrate());
      this.#house = this.#open(alarmAt);
      this.#house.room.armFlush(Date.now());
    });
  }

  provision(call: Call, body: TenantCreate): Result<Tenant> {
    if (call.presented.kind !== "operator") return refuse("not-found", NO_TENANT);
    const now = Date.now();
    const house = this.#house;
    if (house) {
      const repeat = house.room.idempotency.recall<Tenant>(call.idempotent ?? null, now);
      return repeat ?? refuse("conflict", taken(body.id));
    }
    if (this.#eraser) return refuse("conflict", erasedId(body.id));
    if (this.#store.signpost() !== null) return refuse("conflict", taken(body.id));
    return this.#store.transact(() => {
      this.#store.migrate();
      writeConfig(this.#store, newConfig(body, now));
      const made = this.#open(null);
      const tenant = toTenant(readConfig(this.#store));
      made.room.log(now, { action: "TENANT_PROVISIONED", actor: "operator", requestId: call.requestId, details: { tenant } }, body.id !== CATALOG);
      made.room.idempotency.once(call.idempotent ?? null, now, () => done(tenant));
      this.#house = made;
      return done(tenant);
    });
  }

  /** Marks this id as a tenant of another home than this object's: it answers every question with the way there. */
  pointTo(call: Call, home: Home): Result<null> {
    if (call.presented.kind !== "operator") return refuse("not-found", NO_TENANT);
    const before = this.#store.signpost();
    if (this.#eraser) return refuse("conflict", erasedId(call.tenant));
    if (this.#house || (before !== null && before !== home)) return refuse("conflict", taken(call.tenant));
    this.#store.putSignpost(home);
    return done(null);
  }

  /** Where the erasure of this tenant is. `start` begins it: from then on every credential of the tenant is unknown. */
  async erasure(call: Call, start: boolean): Promise<Result<Erasure> | Signpost> {
    const house = this.#house;
    const home = house || this.#eraser ? null : this.#store.signpost();
    if (home !== null) return { movedTo: home };
    if (call.presented.kind !== "operator") return house ? house.room.as<never>(call, () => refuse("forbidden", "This needs the operator key.")) : refuse("unauthorized", UNKNOWN_KEY);
    if (start && house) {
      this.#eraser = beginErasure(house.room, this.ctx.storage, call);
      this.#house = null;
      await this.#eraser.rearm();
    }
    return this.#eraser ? done(toErasure(this.#eraser.progress)) : refuse("not-found", NO_TENANT);
  }

  /** Calls `desks[desk][method](...args)`; the first argument of every guarded method is the `Call`. */
  async ask(desk: keyof Desks, method: string, args: readonly unknown[]): Promise<unknown> {
    await this.#gathering.join();
    const house = this.#house;
    if (!house) {
      const home = this.#store.signpost();
      if (home !== null) return { movedTo: home } satisfies Signpost;
      const operator = (args[0] as Partial<Call> | undefined)?.presented?.kind === "operator";
      return operator ? refuse("not-found", NO_TENANT) : refuse("unauthorized", UNKNOWN_KEY);
    }
    const target = house.desks[desk] as unknown as Record<string, (...all: readonly unknown[]) => unknown>;
    return target[method]?.(...args);
  }

  /** Never throws: after six failures the platform would stop calling. */
  override async alarm(): Promise<void> {
    if (this.#eraser) return this.#eraser.advance();
    const house = this.#house;
    if (!house) return;
    house.room.alarmFired();
    for (const chore of house.chores.filter((one) => one.aside)) this.ctx.waitUntil(this.#do(chore, house).finally(() => this.#rearm(house, [chore])));
    for (const chore of house.chores.filter((one) => !one.aside)) await this.#do(chore, house);
    this.#rearm(house, house.chores);
  }

  #rearm(house: House, chores: readonly Chore[]): void {
    if (this.#house !== house) return; // an erasure has begun: the alarm is the eraser's
    const now = Date.now();
    for (const chore of chores) {
      const at = chore.nextAt(now);
      if (at !== null) house.room.arm(Math.max(now + 1, at));
    }
  }

  async #do(chore: Chore, house: House): Promise<void> {
    if (this.#house !== house) return; // an erasure began meanwhile
    try {
      await chore.run(Date.now());
    } catch (cause) {
      if (this.#house !== house) return;
      console.error(JSON.stringify({ level: "error", message: "a chore failed", tenant: house.room.tenant, chore: chore.name, error: String(cause) }));
      house.room.armFlush(Date.now());
    }
  }

  #open(alarmAt: number | null): House {
    const room = new Room(readConfig(this.#store).profile, this.ctx.storage, this.#store, this.env, alarmAt);
    const users = new UserIdentities(room.tenant, room.store, settingsOf(this.env).masterKeys);
    const leases = new LeaseDesk(room, users);
    const records = new RecordDesk(room);
    const audit = new AuditDesk(room, records);
    const metrics = new MetricsDesk(room);
    const keys = new KeyDesk(room);
    const webhooks = new WebhookDesk(room);
    const followers = new FollowerBook(room.store);
    const rollouts = new RolloutDesk(room, (model, now) => {
      if (room.tenant !== CATALOG) return;
      followers.expect(model, now);
      room.arm(now);
    });
    const collector = new Collector(room);
    const beginnings = new Beginnings(room);
    const models = new ModelDesk(room, rollouts, beginnings);
    const uploads = new UploadDesk(room, collector);
    const imports = new ImportDesk(room, models, uploads);
    const removals = new RemovalDesk(room, imports, collector);
    const lending = new LendingDesk(room, removals, followers);
    return {
      room,
      desks: {
        tenants: new TenantDesk(room),
        keys,
        models,
        reviews: new ReviewDesk(room),
        rollouts,
        uploads,
        removals,
        imports,
        loans: new LoanDesk(room, rollouts, beginnings),
        lending,
        leases,
        records,
        audit,
        prices: new PriceDesk(room),
        metrics,
        secrets: new SecretDesk(room),
        webhooks,
        users: new UserDesk(room, users),
        sessions: new SessionDesk(room),
        keyOfCall: new KeyOfCallDesk(room),
      },
      chores: [leases.chore, keys.chore, records.chore, audit.chore, metrics.chore, webhooks.chore, ...collector.chores, imports.chore, tidyChore(room), ...(room.tenant === CATALOG ? new Upkeep(room, lending, followers).chores : [])],
    };
  }
}
