/** Profile, policy and quota of the tenant. */
import type { Policy, Quota } from "../../../schema/contract/policy.ts";
import type { Tenant, TenantUpdate } from "../../../schema/contract/tenants.ts";
import { standsOf } from "../../alerts/thresholds.ts";
import type { Identity } from "../../tenants/credential.ts";
import { ANONYMOUS } from "../books.ts";
import { dayAt } from "../calendar.ts";
import { type Config, decidePolicy, readConfig, toTenant, writeConfig } from "../config.ts";
import { type Result, done, refuse } from "../result.ts";
import { type Call, type Room, identityOf } from "../room.ts";

/** What a tenant's own admin may change; the rest is the operator's. */
const OWN_FIELDS: ReadonlySet<string> = new Set<keyof TenantUpdate>(["name", "contact_email"]);

export class TenantDesk {
  readonly #room: Room;

  constructor(room: Room) {
    this.#room = room;
  }

  /** Whether this credential is accepted; what the Worker needs before it may touch D1 or R2 for this tenant. */
  verify(call: Call): Result<Identity> {
    return this.#room.as(call, (who) => done(identityOf(who)));
  }

  read(call: Call): Result<Tenant> {
    return this.#room.as(call, () => done(toTenant(readConfig(this.#room.store))));
  }

  update(call: Call, changes: TenantUpdate): Result<Tenant> {
    const room = this.#room;
    return room.as(call, (who, now) => {
      const foreign = Object.keys(changes).filter((field) => !OWN_FIELDS.has(field));
      if (who.kind !== "operator" && foreign.length > 0) return refuse("forbidden", `Only the operator changes ${foreign.join(", ")}.`);
      const before = readConfig(room.store);
      const after = applied(before, changes, now);
      writeConfig(room.store, after);
      const { enabled, ...others } = changes;
      const by = { actor: who.actor, requestId: call.requestId };
      if (Object.keys(others).length > 0) room.log(now, { action: "TENANT_UPDATED", ...by, details: { changes: others } }, true);
      this.#observeLimits(after.policy, now);
      if (after.profile.enabled !== before.profile.enabled) {
        room.log(now, { action: after.profile.enabled ? "TENANT_ENABLED" : "TENANT_DISABLED", ...by, details: {} }, true);
        if (!after.profile.enabled) room.leases.revokeAll(now, who.actor, call.requestId);
      }
      return done(toTenant(after));
    });
  }

  writePolicy(call: Call, wanted: Policy): Result<Policy> {
    const room = this.#room;
    return room.as(call, (who, now) => {
      const decided = decidePolicy(readConfig(room.store), wanted, who.kind === "operator");
      if (!decided.ok) return decided;
      writeConfig(room.store, { ...decided.value, profile: { ...decided.value.profile, updatedAt: now } });
      room.log(now, { action: "POLICY_CHANGED", actor: who.actor, requestId: call.requestId, details: { policy: wanted } }, true);
      this.#observeLimits(wanted, now);
      return done(wanted);
    });
  }

  /** A limit that was lowered may have reached a threshold by that. */
  #observeLimits(policy: Policy, now: number): void {
    const room = this.#room;
    room.observe(standsOf(room.books.read(room.tenant, policy, now, null, null), dayAt(now, policy.time_zone), { user: null, key: null }), now);
  }

  /** Of the tenant; of `user`, or of those that name none; and of the key `keyId`, where it is named. Every limit, set or not. */
  quota(call: Call, user: string | null, keyId: string | null): Result<Quota> {
    const room = this.#room;
    return room.as(call, (_who, now) => {
      if (keyId !== null && !room.keys.byId(keyId)) return refuse("not-found", "This tenant has no such key.");
      return done(room.standing(user ?? ANONYMOUS, keyId, now, true));
    });
  }
}

/** What is not named stays as it is, in the profile, the policy and the ceiling. */
export function applied(before: Config, changes: TenantUpdate, now: number): Config {
  const limits = { ...changes.policy, ...(changes.model_quota !== undefined && { model_quota: changes.model_quota }) };
  const { profile } = before;
  return {
    policy: { ...before.policy, ...limits },
    // Only what the operator named moves the ceiling: not a limit that the tenant had lowered for itself.
    ceiling: { ...before.ceiling, ...limits },
    profile: {
      ...profile,
      name: changes.name ?? profile.name,
      subscriptionTier: changes.subscription_tier ?? profile.subscriptionTier,
      contactEmail: changes.contact_email === undefined ? profile.contactEmail : changes.contact_email,
      enabled: changes.enabled ?? profile.enabled,
      priceFloor: changes.price_floor === undefined ? profile.priceFloor : changes.price_floor,
      allowControlFlow: changes.allow_control_flow ?? profile.allowControlFlow,
      updatedAt: now,
    },
  };
}
