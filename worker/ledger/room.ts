/**
 * What every desk of the tenant object works with: the database, the books, the journal, the alarm, and the one way to
 * act for a credential.
 *
 * - `as` accepts or refuses the credential, books every lease whose time has passed, and does the work, in one
 *   synchronous transaction: no `await` between check and write.
 * - A throw rolls everything back; what mirrors storage in memory is then read anew.
 * - `arm` inside a transaction joins it: the alarm is set exactly when the state is.
 */
import type { TenantId } from "../../schema/contract/ids.ts";
import type { Base, Prices } from "../../schema/contract/models.ts";
import type { Quota } from "../../schema/contract/policy.ts";
import type { Env } from "../env.ts";
import { REPLAYED_PROOF } from "../leases/dpop.ts";
import { toBase64Url } from "../secrets/envelope.ts";
import { type Access, type Identity, type IsolationLevel, type Presented, type Verified, asVerified, isDataPlane } from "../tenants/credential.ts";
import { TenantRecords } from "../tenants/records.ts";
import type { TenantContext } from "../tenants/context.ts";
import { type Stand, alertFact } from "../alerts/thresholds.ts";
import { AlertBook } from "./alert-book.ts";
import type { AuditFact } from "./audit-chain.ts";
import { BookKeeper } from "./books.ts";
import { EgressPasses } from "./egress-passes.ts";
import { type Profile, readConfig, toTenant } from "./config.ts";
import { IdempotencyKeys, type IdempotentCall } from "./idempotency.ts";
import { Denials } from "./denials.ts";
import { EndedSessions } from "./ended-sessions.ts";
import { type Identified, identify } from "./identify.ts";
import { Journal } from "./journal.ts";
import { KeyRing } from "./key-ring.ts";
import { LeaseBook } from "./lease-book.ts";
import { Mirrors } from "./mirrors.ts";
import { LoanBook } from "./loan-book.ts";
import { ModelShelf } from "./model-shelf.ts";
import { OutboxRing } from "./outbox-ring.ts";
import { PriceBook } from "./price-book.ts";
import { ProofLog } from "./proof-log.ts";
import { type Refusal, type Refused, type Result, refuse } from "./result.ts";
import { Rollups } from "./rollups.ts";
import type { Store } from "./store.ts";
import { TallyBook } from "./tally-book.ts";
import { messageOf } from "../webhooks/messages.ts";
import { WebhookBook } from "./webhook-book.ts";

/** Who asks, through which ways the call is open, and what the request is about. */
export interface Call extends TenantContext {
  readonly presented: Presented;
  readonly access: readonly Access[];
  readonly idempotent?: IdempotentCall | null;
}

/** Something that an alarm does. A chore that throws is logged and comes again; it never stops the others. */
export interface Chore {
  readonly name: string;
  /** When it should run next, in milliseconds since the epoch; null: not before something changes. */
  nextAt(now: number): number | null;
  run(now: number): void | Promise<void>;
  /**
   * It waits for other people's machines: neither the others nor the alarm wait for it, so a new run may begin while one
   * is under way. Before it first waits, `run` has made sure that `nextAt` comes back to what it lost if the object dies.
   */
  readonly aside?: true;
}

/** How long D1 may wait for what the object knows. */
const FLUSH_DELAY_MS = 1_000;

export class Room {
  readonly tenant: TenantId;
  readonly isolation: IsolationLevel;
  readonly env: Env;
  readonly store: Store;
  /** The object itself, for what it does on its own behalf. */
  readonly self: Verified;
  /** What it sends to D1. */
  readonly records: TenantRecords;
  readonly keys: KeyRing;
  readonly endedSessions: EndedSessions;
  readonly shelf: ModelShelf;
  readonly loans: LoanBook;
  readonly prices: PriceBook;
  readonly ring: OutboxRing;
  readonly tallies: TallyBook;
  readonly rollups: Rollups;
  readonly journal: Journal;
  readonly idempotency: IdempotencyKeys;
  readonly books: BookKeeper;
  readonly passes: EgressPasses;
  readonly leases: LeaseBook;
  readonly proofs = new ProofLog();
  readonly denials: Denials;
  readonly webhooks: WebhookBook;
  readonly alerts: AlertBook;
  /** The key under which the tenant's weights are cached in its visitors' browsers, base64url of 32 bytes. */
  readonly contentKey: string;
  readonly #storage: DurableObjectStorage;
  #alarmAt: number | null;

  constructor({ id: tenant, isolationLevel }: Pick<Profile, "id" | "isolationLevel">, storage: DurableObjectStorage, store: Store, env: Env, alarmAt: number | null) {
    this.tenant = tenant;
    this.isolation = isolationLevel;
    this.env = env;
    this.store = store;
    this.self = asVerified({ tenant, isolation: isolationLevel, actor: "system", kind: "operator", keyId: null, leaseId: null });
    this.records = TenantRecords.for(this.self, env);
    this.#storage = storage;
    this.#alarmAt = alarmAt;
    this.keys = new KeyRing(store);
    this.endedSessions = new EndedSessions(store);
    this.shelf = new ModelShelf(store);
    this.loans = new LoanBook(store);
    this.prices = new PriceBook(store);
    this.ring = new OutboxRing(store);
    this.tallies = new TallyBook(store);
    this.rollups = new Rollups(store, this.ring, this.tallies);
    this.journal = new Journal(this.ring);
    this.idempotency = new IdempotencyKeys(store);
    const mirrors = new Mirrors();
    this.books = new BookKeeper(store, mirrors);
    this.leases = new LeaseBook(tenant, store, this.books, this.journal, mirrors);
    this.passes = new EgressPasses(store, this.books);
    this.#fillMirrors();
    this.webhooks = new WebhookBook(store);
    this.alerts = new AlertBook(store);
    this.denials = new Denials(store);
    this.contentKey = this.#contentKey();
  }

  /** `refused`: hears, in the transaction, why the credential was. */
  as<T>(call: Call, work: (who: Identified, now: number) => Result<T>, refused?: (refusal: Refusal, now: number) => void): Result<T> {
    const now = Date.now();
    return this.transact(() => {
      const who = identify(call.presented, call.access, this, this.keys, this.endedSessions, now);
      if (!who.ok) {
        refused?.(who.refusal, now);
        return who;
      }
      const unproved = this.#unproved(call.presented, now);
      if (unproved) return unproved;
      this.leases.sweep(now);
      const result = work(who.value, now);
      return result.ok || !isDataPlane(call.access) ? result : { ok: false, refusal: { ...result.refusal, quota: this.quotaOf(call, who.value, now) } };
    });
  }

  /** The limits as they stand: of the user too whom the request is for, and of the key that asks or that its lease is charged to. */
  quotaOf({ user }: Call, { key, leaseId }: Identified, now: number): Quota {
    const lease = leaseId === null ? null : this.leases.find(leaseId);
    return this.standing(user, lease ? lease.key_id : (key?.id ?? null), now);
  }

  /** `user` null: of no user; `keyId` null: of no key. `whole`: what is not limited is told of the anonymous user too. */
  standing(user: string | null, keyId: string | null, now: number, whole = false): Quota {
    const { policy } = readConfig(this.store);
    const key = keyId === null ? null : this.keys.byId(keyId);
    return this.books.quota(this.books.read(this.tenant, policy, now, user, key), policy, this.shelf, now, whole);
  }

  /** Why the proof of a bound lease is not taken; null: it is, or there is none to take. */
  #unproved(presented: Presented, now: number): Refused | null {
    if (presented.kind !== "lease" || !presented.proof) return null;
    const verdict = this.proofs.take(presented.leaseId, presented.proof, now);
    if (verdict === "taken") return null;
    if (verdict === "replayed") return refuse("invalid-dpop-proof", REPLAYED_PROOF);
    return refuse("dpop-nonce-required", "Make a proof with the nonce of the header DPoP-Nonce, and send the request again.", { dpopNonce: this.proofs.nonce(now) });
  }

  /**
   * Drawn once and kept as it is, so that neither a rotation of the master key nor a lost one costs the visitors their
   * caches. Whoever holds a lease has it: it keeps weights from other tenants and from other pages, not from the database.
   */
  #contentKey(): string {
    const kept = this.store.first<{ value: string }>("SELECT value FROM material WHERE name = 'content-key'");
    if (kept) return kept.value;
    const value = toBase64Url(crypto.getRandomValues(new Uint8Array(32)));
    this.store.run("INSERT INTO material (name, value) VALUES ('content-key', ?)", value);
    return value;
  }

  transact<T>(work: () => T): T {
    try {
      return this.store.transact(work);
    } catch (cause) {
      this.#alarmAt = null;
      this.ring.reload();
      this.#fillMirrors();
      this.alerts.forget();
      this.denials.reload();
      throw cause;
    }
  }

  #fillMirrors(): void {
    this.leases.fillMirrors(Date.now());
    this.passes.fillMirror();
  }

  /**
   * Appends an event of this tenant, queues it for the webhooks that want it, and sees that D1 hears of it.
   * `changed`: the tenant's profile or policy is new.
   */
  log(now: number, fact: AuditFact, changed = false): void {
    const event = this.journal.append(this.tenant, now, fact, changed ? { profile: toTenant(readConfig(this.store)) } : {});
    const message = messageOf(this.tenant, event);
    if (message && this.webhooks.publish(message, now)) this.arm(now);
    this.armFlush(now);
  }

  /** Tells of every threshold that these limits have reached and that was not told yet. `refused`: they have just refused. */
  observe(stands: readonly Stand[], now: number, refused = false): void {
    for (const stand of stands) {
      for (const alert of this.alerts.take(stand, now, refused)) this.log(now, alertFact(alert));
    }
  }

  /** What a lease of this model granted now costs; `base`: what of the catalogue it stands on. */
  pricesOf(model: string, now: number, base: Base | null = this.shelf.live(model)?.facts.base ?? null): Prices {
    return this.prices.at(model, now, readConfig(this.store).profile.priceFloor, base?.model ?? null);
  }

  armFlush(now: number): void {
    this.arm(now + FLUSH_DELAY_MS);
  }

  arm(at: number): void {
    if (this.#alarmAt !== null && this.#alarmAt <= at) return;
    this.#alarmAt = at;
    this.store.countAlarm();
    void this.#storage.setAlarm(at);
  }

  alarmFired(): void {
    this.#alarmAt = null;
  }
}

/** What may leave the object of an identified caller. */
export const identityOf = ({ key: _, ...identity }: Identified): Identity => identity;
