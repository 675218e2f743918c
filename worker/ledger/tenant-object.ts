/**
 * The tenant object: the only authority for one tenant's configuration, keys, models, balances and leases.
 *
 * - Every call names the credential it comes with; the object accepts or refuses it in the same transaction as the work.
 * - Each decision is one synchronous check-all-then-commit (`transactionSync`): no `await` between check and write.
 * - State, audit event, cost record, outbox row and alarm commit together.
 * - An object that was never provisioned refuses everything and writes nothing.
 * - A throw rolls everything back; what mirrors storage in memory is then read anew.
 */
import { DurableObject } from "cloudflare:workers";
import { ceilingNanos } from "../../schema/contract/measure.ts";
import { type KeyId, type ModelId, type RevisionId, type Sha256, type TenantId, sortableId } from "../../schema/contract/ids.ts";
import { keyHint, makeKey } from "../../schema/contract/keys.ts";
import type { LeaseCreate, LeaseState, UsageReport } from "../../schema/contract/leases.ts";
import type { Model } from "../../schema/contract/models.ts";
import type { Policy, Quota } from "../../schema/contract/policy.ts";
import type { Key, KeyCreate, KeyCreated, Tenant, TenantCreate, TenantUpdate } from "../../schema/contract/tenants.ts";
import type { Env } from "../env.ts";
import { settingsOf } from "../env.ts";
import { type Access, type Identity, type Presented, asVerified } from "../tenants/credential.ts";
import { derivedBytes } from "../tenants/derive.ts";
import { TenantRecords } from "../tenants/records.ts";
import { sha256Hex } from "./audit-chain.ts";
import { BookKeeper } from "./books.ts";
import { type DayName, dayAt } from "./calendar.ts";
import { decidePolicy, newConfig, readConfig, toTenant, writeConfig } from "./config.ts";
import { decideHold } from "./decide-hold.ts";
import { Denials } from "./denials.ts";
import { IdempotencyKeys, type IdempotentCall } from "./idempotency.ts";
import { type Identified, identify } from "./identify.ts";
import { Journal } from "./journal.ts";
import { KeyRing, toKey } from "./key-ring.ts";
import { LeaseBook, type LeaseRow, toLeaseState } from "./lease-book.ts";
import { MinuteWindow } from "./minute.ts";
import { ModelShelf, type Revision, toModel } from "./model-shelf.ts";
import { type Lag, Outbox } from "./outbox.ts";
import { type Refusal, type Result, done, refuse } from "./result.ts";
import { Store } from "./store.ts";

/** Who asks, through which ways the call is open, and the request's id for the audit. */
export interface Call {
  readonly presented: Presented;
  readonly access: readonly Access[];
  readonly requestId: string;
  readonly idempotent?: IdempotentCall | null;
}

/** What the Worker signs into a lease, and the quota as it stands after the grant. */
export interface Granted {
  readonly leaseId: LeaseState["lease_id"];
  readonly tenant: TenantId;
  readonly model: ModelId;
  readonly revision: RevisionId;
  readonly manifestSha256: Sha256;
  readonly purpose: LeaseCreate["purpose"];
  readonly hold: number;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly quota: Quota;
}

/** How long D1 may wait for what the object knows. */
const FLUSH_DELAY_MS = 1_000;
const FLUSH_RETRY_MS = [2_000, 5_000, 15_000, 60_000];
const LEASE_OVER = { settled: "lease-settled", expired: "lease-expired", revoked: "lease-revoked" } as const;
const NO_TENANT = refuse("not-found", "There is no such tenant, or this credential is not for it.");

export class TenantObject extends DurableObject<Env> {
  readonly #store: Store;
  readonly #keys: KeyRing;
  readonly #shelf: ModelShelf;
  readonly #journal: Journal;
  readonly #idempotency: IdempotencyKeys;
  readonly #denials = new Denials();
  #house: House | null = null;
  #alarmAt: number | null = null;
  #failedFlushes = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new Store(ctx.storage);
    this.#keys = new KeyRing(this.#store);
    this.#shelf = new ModelShelf(this.#store);
    this.#journal = new Journal(this.#store);
    this.#idempotency = new IdempotencyKeys(this.#store);
    void ctx.blockConcurrencyWhile(async () => {
      this.#alarmAt = await ctx.storage.getAlarm();
      if (!this.#store.isProvisioned()) return;
      ctx.storage.transactionSync(() => this.#store.migrate());
      this.#open();
      if (this.#alarmAt === null) this.#arm(Date.now() + FLUSH_DELAY_MS);
    });
  }

  // ── tenants ──────────────────────────────────────────────────────────────────────────────────────────────────────

  provision(call: Call, body: TenantCreate): Result<Tenant> {
    const now = Date.now();
    if (call.presented.kind !== "operator") return NO_TENANT;
    return this.#transact(() => {
      this.#store.migrate();
      return this.#idempotency.once(call.idempotent ?? null, now, () => {
        if (this.#house) return refuse("conflict", `The tenant ${body.id} exists. Choose another id, or PATCH it.`);
        const config = newConfig(body, now);
        writeConfig(this.#store, config);
        const tenant = toTenant(config);
        this.#journal.append(body.id, now, { action: "TENANT_PROVISIONED", actor: "operator", requestId: call.requestId, details: { tenant } }, { profile: tenant });
        this.#open();
        this.#arm(now + FLUSH_DELAY_MS);
        return done(tenant);
      });
    });
  }

  readTenant(call: Call): Result<Tenant> {
    return this.#as(call, () => done(toTenant(readConfig(this.#store))));
  }

  updateTenant(call: Call, body: TenantUpdate): Result<Tenant> {
    return this.#as(call, (who, house, now) => {
      const before = readConfig(this.#store);
      const byOperator = who.kind === "operator";
      const own = new Set(["name", "contact_email"]);
      const foreign = Object.keys(body).filter((field) => !own.has(field));
      if (!byOperator && foreign.length > 0) return refuse("forbidden", `Only the operator changes ${foreign.join(", ")}.`);
      const policy = { ...(body.policy ?? before.policy), ...(body.model_quota !== undefined && { model_quota: body.model_quota }) };
      const policyChanged = body.policy !== undefined || body.model_quota !== undefined;
      const { profile } = before;
      const after = {
        policy,
        ceiling: policyChanged ? policy : before.ceiling,
        profile: {
          ...profile,
          name: body.name ?? profile.name,
          subscriptionTier: body.subscription_tier ?? profile.subscriptionTier,
          contactEmail: body.contact_email === undefined ? profile.contactEmail : body.contact_email,
          enabled: body.enabled ?? profile.enabled,
          updatedAt: now,
        },
      };
      writeConfig(this.#store, after);
      const tenant = toTenant(after);
      const log = (action: "TENANT_UPDATED" | "TENANT_DISABLED" | "TENANT_ENABLED", details: Record<string, unknown>) =>
        this.#journal.append(house.tenant, now, { action, actor: who.actor, requestId: call.requestId, details }, { profile: tenant });
      if (Object.keys(body).some((field) => field !== "enabled")) log("TENANT_UPDATED", { changes: body });
      if (after.profile.enabled !== profile.enabled) log(after.profile.enabled ? "TENANT_ENABLED" : "TENANT_DISABLED", {});
      if (!after.profile.enabled) house.leases.revokeAll(now, who.actor, call.requestId);
      this.#arm(now + FLUSH_DELAY_MS);
      return done(tenant);
    });
  }

  writePolicy(call: Call, wanted: Policy): Result<Policy> {
    return this.#as(call, (who, house, now) => {
      const decided = decidePolicy(readConfig(this.#store), wanted, who.kind === "operator");
      if (!decided.ok) return decided;
      const config = { ...decided.value, profile: { ...decided.value.profile, updatedAt: now } };
      writeConfig(this.#store, config);
      const fact = { action: "POLICY_CHANGED", actor: who.actor, requestId: call.requestId, details: { policy: wanted } } as const;
      this.#journal.append(house.tenant, now, fact, { profile: toTenant(config) });
      this.#arm(now + FLUSH_DELAY_MS);
      return done(wanted);
    });
  }

  /** Whether this credential is accepted here; what a Worker needs before it may touch D1 or R2 for this tenant. */
  verify(call: Call): Result<Identity> {
    return this.#as(call, ({ key: _, ...identity }) => done(identity));
  }

  /** The origins that may embed this publishable key's widget. */
  allowedOrigins(hash: string): Result<readonly string[]> {
    const key = this.#house ? this.#keys.byHash(hash) : null;
    const usable = key?.type === "publishable" && key.revokedAt === null && (key.expiresAt === null || key.expiresAt > Date.now());
    return key && usable ? done(key.origins) : refuse("unauthorized", "The key is unknown, revoked or expired. Use a current key of this tenant.");
  }

  // ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** With an idempotency key, the key's text is derived from the master key and its id: a repeat can show it again, and none is stored. */
  async createKey(call: Call, body: KeyCreate): Promise<Result<KeyCreated>> {
    const house = this.#house;
    if (!house) return NO_TENANT;
    const repeat = this.#idempotency.recall<{ id: KeyId }>(call.idempotent ?? null, Date.now());
    const id = repeat?.ok ? repeat.value.id : (`key_${sortableId(Date.now())}` as KeyId);
    const random = call.idempotent ? await derivedBytes(settingsOf(this.env).masterKey, `key\n${house.tenant}\n${id}`, 1024) : undefined;
    const text = makeKey(body.type, house.tenant, random);
    const stored = this.#as(call, (who, _house, now) =>
      this.#idempotency.once(call.idempotent ?? null, now, () => {
        const key = this.#keys.add(id, sha256Hex(text), keyHint(text), body, now);
        const details = { key_id: id, type: key.type, name: key.name, scopes: key.scopes, origins: key.origins };
        this.#journal.append(house.tenant, now, { action: "KEY_CREATED", actor: who.actor, requestId: call.requestId, details });
        this.#arm(now + FLUSH_DELAY_MS);
        return done({ id });
      }),
    );
    if (!stored.ok) return stored;
    const key = this.#keys.byId(stored.value.id);
    if (!key) throw new Error("a key that was just stored is gone");
    // Two first calls with one idempotency key: the loser drew another id, so its text is derived again from the winner's.
    const shown = key.id === id ? text : makeKey(key.type, house.tenant, await derivedBytes(settingsOf(this.env).masterKey, `key\n${house.tenant}\n${key.id}`, 1024));
    return done({ ...toKey(key), key: shown });
  }

  listKeys(call: Call, after: string, limit: number): Result<Key[]> {
    return this.#as(call, () => done(this.#keys.list(after, limit).map(toKey)));
  }

  revokeKey(call: Call, id: string): Result<Key> {
    return this.#as(call, (who, house, now) => {
      const key = this.#keys.byId(id);
      if (!key) return refuse("not-found", "This tenant has no such key.");
      if (key.revokedAt === null) {
        this.#keys.revoke(id, now);
        this.#journal.append(house.tenant, now, { action: "KEY_REVOKED", actor: who.actor, requestId: call.requestId, details: { key_id: id } });
        this.#arm(now + FLUSH_DELAY_MS);
      }
      return done(toKey({ ...key, revokedAt: key.revokedAt ?? now }));
    });
  }

  // ── models ───────────────────────────────────────────────────────────────────────────────────────────────────────

  beginRevision(call: Call, revision: Omit<Revision, "publishedAt">, digests: readonly string[]): Result<{ missing: Sha256[] }> {
    return this.#as(call, (_who, _house, now) => {
      const { policy } = readConfig(this.#store);
      const isNew = this.#shelf.live(revision.model) === null;
      if (isNew && policy.model_quota !== null && this.#shelf.count() >= policy.model_quota) return modelQuotaExceeded(policy.model_quota);
      this.#shelf.begin(revision, now);
      return done({ missing: this.#shelf.missing(digests) });
    });
  }

  /** Whether a blob of this size may be stored; `known`: it is already. */
  admitBlob(call: Call, digest: string, size: number): Result<{ identity: Identity; known: boolean }> {
    return this.#as<{ identity: Identity; known: boolean }>(call, ({ key: _, ...identity }) => {
      if (this.#shelf.sizeOf(digest) !== null) return done({ identity, known: true });
      const limit = readConfig(this.#store).policy.storage_bytes;
      const stored = this.#shelf.storedBytes();
      if (limit !== null && stored + size > limit) {
        return refuse("storage-quota-exceeded", `${stored} of ${limit} bytes are stored and this blob has ${size}. Delete models, or raise the limit.`, { limit, remaining: Math.max(0, limit - stored) });
      }
      return done({ identity, known: false });
    });
  }

  recordBlob(call: Call, digest: string, size: number): Result<null> {
    return this.#as(call, (_who, _house, now) => {
      this.#shelf.record(digest, size, now);
      return done(null);
    });
  }

  blobSize(call: Call, digest: string): Result<{ identity: Identity; size: number }> {
    return this.#as(call, ({ key: _, ...identity }) => {
      const size = this.#shelf.sizeOf(digest);
      return size === null ? refuse("not-found", "There is no such blob.") : done({ identity, size });
    });
  }

  /** The revision that the credential may read: the one its lease pins while it is active, else the live one of `model`. */
  openRevision(call: Call, model: string | null): Result<{ identity: Identity; revision: Revision }> {
    return this.#as<{ identity: Identity; revision: Revision }>(call, ({ key: _, ...identity }, house) => {
      const lease = identity.leaseId === null ? null : house.leases.find(identity.leaseId);
      if (identity.leaseId !== null && !lease) return refuse("not-found", "There is no such lease.");
      if (lease && lease.state !== "active") return refuse(LEASE_OVER[lease.state as keyof typeof LEASE_OVER], "This lease is over. Ask for a new one.");
      if (lease && model !== null && lease.model !== model) return refuse("not-found", "There is no such model.");
      const revision = lease ? this.#shelf.find(lease.model, lease.revision) : model === null ? null : this.#shelf.live(model);
      return revision ? done({ identity, revision }) : refuse("model-not-available", `This tenant has no model ${model ?? lease?.model}.`);
    });
  }

  /** `sizes`: every chunk of the revision's manifest with the size it states. */
  commitRevision(call: Call, model: string, revision: string, sizes: Readonly<Record<string, number>>): Result<Model> {
    return this.#as(call, (who, house, now) => {
      const draft = this.#shelf.find(model, revision);
      if (!draft) return refuse("not-found", "This model has no such revision.");
      const missing = this.#shelf.missing(Object.keys(sizes));
      if (missing.length > 0) return refuse("revision-incomplete", `${missing.length} blobs are missing, the first is ${missing[0]}. PUT them, then commit again.`);
      const wrong = Object.entries(sizes).find(([digest, size]) => this.#shelf.sizeOf(digest) !== size);
      if (wrong) return refuse("revision-incomplete", `The manifest states ${wrong[1]} bytes for the blob ${wrong[0]}, and it has ${this.#shelf.sizeOf(wrong[0])}. Begin a revision with the right sizes.`);
      const live = this.#shelf.live(model);
      const { policy } = readConfig(this.#store);
      if (!live && policy.model_quota !== null && this.#shelf.count() >= policy.model_quota) return modelQuotaExceeded(policy.model_quota);
      if (live?.revision !== revision) {
        this.#shelf.publish(model, revision, now);
        const details = { revision, manifest_sha256: draft.manifestSha256, size_bytes: draft.facts.sizeBytes, prices: draft.facts.prices };
        this.#journal.append(house.tenant, now, { action: "MODEL_PUBLISHED", actor: who.actor, model, requestId: call.requestId, details });
        this.#arm(now + FLUSH_DELAY_MS);
      }
      return done(toModel(this.#shelf.live(model) as Revision));
    });
  }

  listModels(call: Call, after: string, limit: number): Result<Model[]> {
    return this.#as(call, () => done(this.#shelf.list(after, limit).map(toModel)));
  }

  // ── leases ───────────────────────────────────────────────────────────────────────────────────────────────────────

  grantLease(call: Call, ask: LeaseCreate): Result<Granted> {
    return this.#as(call, (who, house, now) =>
      this.#idempotency.once(call.idempotent ?? null, now, () => {
        const granted = this.#decideGrant(who, house, ask, call.requestId, now);
        if (!granted.ok) this.#recordDenial(granted.refusal, who, ask, call.requestId, now);
        return granted;
      }),
    );
  }

  readLease(call: Call, id: string): Result<LeaseState> {
    return this.#as(call, (who, house) => {
      const lease = this.#leaseFor(who, house, id);
      return lease.ok ? done(toLeaseState(lease.value)) : lease;
    });
  }

  reportUsage(call: Call, id: string, report: UsageReport): Result<LeaseState> {
    return this.#as(call, (who, house, now) => {
      const lease = this.#leaseFor(who, house, id);
      if (!lease.ok) return lease;
      const answer = house.leases.report(lease.value, report, who.actor, now);
      this.#arm(now + FLUSH_DELAY_MS);
      return answer;
    });
  }

  quota(call: Call, user: string | null): Result<Quota> {
    return this.#as(call, (_who, house, now) => {
      const { policy } = readConfig(this.#store);
      return done(house.books.quota(house.books.read(house.tenant, policy, now, user, null), policy));
    });
  }

  /** Sends what D1 does not have yet; answers how much is left and why, and which day it is for the tenant. */
  async flush(call: Call): Promise<Result<{ identity: Identity; lag: Lag; today: DayName }>> {
    const verified = this.#as(call, ({ key: _, ...identity }, { outbox }, now) =>
      done({ identity, outbox, today: dayAt(now, readConfig(this.#store).policy.time_zone) }),
    );
    if (!verified.ok) return verified;
    const { identity, outbox, today } = verified.value;
    return done({ identity, today, lag: await outbox.flush() });
  }

  /** Books what is due, sends the outbox, arms the next alarm. Never throws: after six failures an alarm stays silent. */
  override async alarm(): Promise<void> {
    this.#alarmAt = null;
    const house = this.#house;
    if (!house) return;
    const now = Date.now();
    this.#transact(() => {
      house.leases.sweep(now);
      for (const { code, count } of this.#denials.takeDue(now)) this.#writeDenial(house, code, count, { actor: "system", user: null, model: null, requestId: null }, now);
      this.#idempotency.forgetOld(now);
      return done(null);
    });
    const lag = await house.outbox.flush();
    this.#failedFlushes = lag.error === null ? 0 : this.#failedFlushes + 1;
    const retry = FLUSH_RETRY_MS[Math.min(this.#failedFlushes, FLUSH_RETRY_MS.length) - 1] ?? FLUSH_DELAY_MS;
    const next = [lag.events > 0 ? Date.now() + retry : null, house.leases.nextExpiry(), this.#denials.nextDue()].filter((at) => at !== null);
    if (next.length > 0) this.#arm(Math.max(Date.now() + 1, Math.min(...next)));
  }

  // ── inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #decideGrant(who: Identified, house: House, ask: LeaseCreate, requestId: string, now: number): Result<Granted> {
    const { policy, profile } = readConfig(this.#store);
    if (!profile.enabled) return refuse("tenant-disabled", `The tenant ${house.tenant} is disabled. Ask the operator to enable it.`);
    const model = this.#shelf.live(ask.model);
    if (!model) return refuse("model-not-available", `This tenant has no model ${ask.model}. GET /v1/models lists what it has.`);
    const tokens = ask.tokens ?? 0;
    const nanos = ask.purpose === "download" ? 0 : ceilingNanos(tokens, model.facts.prices);
    if (nanos === null) return refuse("invalid-request", `${tokens} tokens at this model's price are more than can be counted. Ask for fewer.`);
    const user = ask.user ?? null;
    const books = house.books.read(house.tenant, policy, now, user, who.key);
    const decision = decideHold({ tokens, nanos }, books);
    if (!decision.ok) return decision;
    const lease = house.leases.open(
      {
        purpose: ask.purpose, keyId: who.actor, user, model: ask.model, revision: model.revision, manifestSha256: model.manifestSha256,
        prices: model.facts.prices, requestId: ask.request_id ?? requestId, metadata: ask.metadata ?? {}, day: dayAt(now, policy.time_zone),
        tokens, nanos, ttlSeconds: ask.ttl_s,
      },
      now,
    );
    const details = { lease_id: lease.id, revision: model.revision, purpose: ask.purpose, hold: tokens, expires_at: lease.expires_at, metadata: ask.metadata };
    this.#journal.append(house.tenant, now, { action: "LEASE_GRANTED", actor: who.actor, user, model: ask.model, requestId: lease.request_id, details });
    this.#arm(now + FLUSH_DELAY_MS);
    return done({
      leaseId: lease.id as Granted["leaseId"],
      tenant: house.tenant,
      model: ask.model,
      revision: model.revision,
      manifestSha256: model.manifestSha256,
      purpose: ask.purpose,
      hold: tokens,
      issuedAt: now,
      expiresAt: lease.expires_at,
      quota: house.books.quota(house.books.read(house.tenant, policy, now, user, who.key), policy),
    });
  }

  #recordDenial(refusal: Refusal, who: Identified, ask: LeaseCreate, requestId: string, now: number): void {
    const count = this.#denials.count(refusal.code, now);
    const due = this.#denials.nextDue();
    if (count > 0) this.#writeDenial(this.#house as House, refusal.code, count, { actor: who.actor, user: ask.user ?? null, model: ask.model, requestId }, now);
    else if (due !== null) this.#arm(due);
  }

  #writeDenial(house: House, code: string, count: number, by: { actor: string; user: string | null; model: string | null; requestId: string | null }, now: number): void {
    this.#journal.append(house.tenant, now, { action: "LEASE_DENIED", ...by, details: { reason: code, count } });
    this.#arm(now + FLUSH_DELAY_MS);
  }

  /** A lease reads and reports itself alone; a key, any lease of its tenant. */
  #leaseFor(who: Identity, house: House, id: string): Result<LeaseRow> {
    const lease = who.leaseId === null || who.leaseId === id ? house.leases.find(id) : null;
    return lease ? done(lease) : refuse("not-found", "There is no such lease.");
  }

  /** Accepts the credential and does the work, in one transaction, after booking every lease whose time has passed. */
  #as<T>(call: Call, work: (who: Identified, house: House, now: number) => Result<T>): Result<T> {
    const house = this.#house;
    if (!house) return call.presented.kind === "operator" ? NO_TENANT : refuse("unauthorized", "The key is unknown, revoked or expired. Use a current key of this tenant.");
    const now = Date.now();
    return this.#transact(() => {
      const who = identify(call.presented, call.access, house.tenant, this.#keys, now);
      if (!who.ok) return who;
      house.leases.sweep(now);
      return work(who.value, house, now);
    });
  }

  #transact<T>(work: () => Result<T>): Result<T> {
    try {
      return this.ctx.storage.transactionSync(work);
    } catch (cause) {
      this.#house = null;
      this.#alarmAt = null;
      if (this.#store.isProvisioned()) this.#open();
      throw cause;
    }
  }

  /** Inside a transaction this joins it: the alarm is set exactly when the state is. */
  #arm(at: number): void {
    if (this.#alarmAt !== null && this.#alarmAt <= at) return;
    this.#alarmAt = at;
    void this.ctx.storage.setAlarm(at);
  }

  #open(): void {
    const tenant = readConfig(this.#store).profile.id;
    const minute = new MinuteWindow();
    const books = new BookKeeper(this.#store, minute);
    const leases = new LeaseBook(tenant, this.#store, books, this.#journal, minute);
    leases.fillMinute(Date.now());
    const self = asVerified({ tenant, actor: "system", kind: "operator", keyId: null, leaseId: null });
    this.#house = { tenant, books, leases, outbox: new Outbox(this.#store, TenantRecords.for(self, this.env)) };
  }
}

/** What exists once the object knows whose it is. */
interface House {
  readonly tenant: TenantId;
  readonly books: BookKeeper;
  readonly leases: LeaseBook;
  readonly outbox: Outbox;
}

const modelQuotaExceeded = (limit: number) => refuse("model-quota-exceeded", `The tenant may have ${limit} models and has them. Delete one, or raise model_quota.`, { limit, remaining: 0 });
