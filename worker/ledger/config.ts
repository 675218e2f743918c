/**
 * The tenant's own configuration inside its object: profile and policy.
 *
 * - `policy_ceiling` is the last policy that the operator wrote; a tenant's admin may set any policy within it.
 */
import { type Policy, policy as policySchema } from "../../schema/contract/policy.ts";
import { toTimestamp } from "../../schema/contract/amounts.ts";
import type { PriceFloor } from "../../schema/contract/prices.ts";
import type { TenantId } from "../../schema/contract/ids.ts";
import type { Tenant, TenantCreate } from "../../schema/contract/tenants.ts";
import { type Result, done, refuse } from "./result.ts";
import type { Store } from "./store.ts";

export interface Profile {
  readonly id: TenantId;
  readonly name: string;
  readonly subscriptionTier: string;
  readonly contactEmail: string | null;
  readonly isolationLevel: "pooled" | "full";
  readonly region: string;
  readonly enabled: boolean;
  readonly priceFloor: PriceFloor | null;
  readonly allowControlFlow: boolean;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface Config {
  readonly profile: Profile;
  readonly policy: Policy;
  readonly ceiling: Policy;
}

export const readConfig = (store: Store): Config => store.recall("config", ["config"], () => configIn(store));

function configIn(store: Store): Config {
  const row = store.first<{ tenant: string; policy: string; policy_ceiling: string }>("SELECT tenant, policy, policy_ceiling FROM config WHERE id = 1");
  if (!row) throw new Error("the tenant object has no configuration");
  return { profile: profileOf(row.tenant), policy: policyOf(row.policy), ceiling: policyOf(row.policy_ceiling) };
}

/** What a profile lacks that was written before there was such a field. */
const BEFORE = { priceFloor: null, allowControlFlow: false };
const profileOf = (text: string): Profile => ({ ...BEFORE, ...(JSON.parse(text) as Omit<Profile, keyof typeof BEFORE>) });

/** Parsed by the schema: a policy that was written before a limit existed gets that limit's default. */
const policyOf = (text: string): Policy => Object.freeze(policySchema.parse(JSON.parse(text)));

export function writeConfig(store: Store, config: Config): void {
  store.run(
    `INSERT INTO config (id, tenant, policy, policy_ceiling) VALUES (1, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, policy = excluded.policy, policy_ceiling = excluded.policy_ceiling`,
    JSON.stringify(config.profile),
    JSON.stringify(config.policy),
    JSON.stringify(config.ceiling),
  );
}

export function newConfig(body: TenantCreate, now: number): Config {
  const policy = body.model_quota === undefined ? body.policy : { ...body.policy, model_quota: body.model_quota };
  const profile: Profile = {
    id: body.id,
    name: body.name,
    subscriptionTier: body.subscription_tier,
    contactEmail: body.contact_email,
    isolationLevel: body.isolation_level,
    region: body.region,
    enabled: true,
    priceFloor: body.price_floor,
    allowControlFlow: body.allow_control_flow,
    createdAt: now,
    updatedAt: now,
  };
  return { profile, policy, ceiling: policy };
}

/** The tenant as the API shows it. */
export function toTenant({ profile, policy }: Config): Tenant {
  return {
    id: profile.id,
    name: profile.name,
    subscription_tier: profile.subscriptionTier,
    contact_email: profile.contactEmail,
    isolation_level: profile.isolationLevel,
    region: profile.region,
    enabled: profile.enabled,
    model_quota: policy.model_quota,
    policy,
    price_floor: profile.priceFloor,
    allow_control_flow: profile.allowControlFlow,
    created_at: toTimestamp(profile.createdAt),
    updated_at: toTimestamp(profile.updatedAt),
  };
}

/**
 * A tenant's admin sets limits within the operator's; the operator sets both. The time zone is the operator's too:
 * in another zone it may be another day, with an allowance of its own.
 */
export function decidePolicy(config: Config, wanted: Policy, byOperator: boolean): Result<Config> {
  if (byOperator) return done({ ...config, policy: wanted, ceiling: wanted });
  for (const [name, ceiling] of Object.entries(config.ceiling)) {
    const value = wanted[name as keyof Policy];
    const above = typeof ceiling === "number" ? value === null || (value as number) > ceiling : typeof ceiling === "boolean" && value === true && !ceiling;
    if (above) return refuse("forbidden", `${name} may not go above what the operator allows (${String(ceiling)}). Ask the operator to raise it.`);
  }
  if (wanted.time_zone !== config.policy.time_zone) return refuse("forbidden", "Only the operator changes time_zone: the days of all limits are counted by it.");
  return done({ ...config, policy: wanted });
}
