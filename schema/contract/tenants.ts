/** Tenants and their keys: the bodies of provisioning and key management. */
import { z } from "zod";
import { amount, timestamp } from "./amounts.ts";
import { keyId, tenantId } from "./ids.ts";
import { policy, policyUpdate } from "./policy.ts";
import { priceFloor } from "./prices.ts";
import { region } from "./region.ts";

const label = (max: number) => z.string().min(1).max(max).regex(/^[^\p{Cc}\p{Cs}]+$/u, "no control characters");

export const tenantCreate = z
  .strictObject({
    id: tenantId,
    name: label(200),
    subscription_tier: label(64).default("free"),
    model_quota: amount.nullable().optional().meta({ description: "Short for policy.model_quota." }),
    policy: policy.prefault({}),
    price_floor: priceFloor.nullable().default(null),
    allow_control_flow: z.boolean().default(false).meta({ description: "Whether models of the tenant may have Loop, Scan or If. Such a model can run for ever; only the operator lets it." }),
    contact_email: z.email().max(254).nullable().default(null),
    isolation_level: z.enum(["pooled", "full"]).default("pooled"),
    region: region.default("auto").meta({ description: '"eu" and "fedramp" keep the tenant object in that jurisdiction; other names are labels, and one that could be taken for a jurisdiction is refused.', example: "auto" }),
  })
  .meta({ id: "TenantCreate" });
export type TenantCreate = z.infer<typeof tenantCreate>;

export const tenantUpdate = z
  .strictObject({
    name: label(200).optional(),
    subscription_tier: label(64).optional(),
    contact_email: z.email().max(254).nullable().optional(),
    enabled: z.boolean().optional(),
    policy: policyUpdate.optional(),
    price_floor: priceFloor.nullable().optional(),
    allow_control_flow: z.boolean().optional(),
    model_quota: amount.nullable().optional(),
  })
  .refine((body) => Object.keys(body).length > 0, "name at least one field to change")
  .meta({ id: "TenantUpdate" });
export type TenantUpdate = z.infer<typeof tenantUpdate>;

export const tenant = z
  .object({
    id: tenantId,
    name: z.string(),
    subscription_tier: z.string(),
    contact_email: z.string().nullable(),
    isolation_level: z.enum(["pooled", "full"]),
    region: z.string(),
    enabled: z.boolean(),
    model_quota: amount.nullable(),
    policy,
    price_floor: priceFloor.nullable(),
    allow_control_flow: z.boolean(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: "Tenant" });
export type Tenant = z.infer<typeof tenant>;

export const KEY_SCOPES = ["leases", "admin", "read"] as const;
export const keyScope = z.enum(KEY_SCOPES);
export type KeyScope = z.infer<typeof keyScope>;

/** A host as a browser writes it into `Origin`. The URL parser takes more: `*` too, which is every host in a policy of frames. */
const HOST = /^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:]+\])$/;

/** `https://shop.example` or `http://localhost:8080`: a serialized origin (RFC 6454), nothing after the port. */
export const origin = z
  .string()
  .max(300)
  .refine((text) => {
    if (!URL.canParse(text)) return false;
    const url = new URL(text);
    return (url.protocol === "https:" || url.protocol === "http:") && url.origin === text && HOST.test(url.hostname);
  }, "a web origin: scheme, host and port, no path")
  .meta({ description: "Web origin.", example: "https://shop.example" });

export const keyLimits = z
  .strictObject({
    daily_token_limit: amount.nullable().default(null),
    monthly_token_limit: amount.nullable().default(null),
    tokens_per_minute: amount.nullable().default(null),
    requests_per_minute: amount.nullable().default(null),
    concurrent_leases: amount.nullable().default(null),
  })
  .meta({ id: "KeyLimits", description: "Limits of this key and of those that take its place, within the tenant's." });
export type KeyLimits = z.infer<typeof keyLimits>;

export const keyCreate = z
  .strictObject({
    type: z.enum(["secret", "publishable"]),
    name: label(100),
    scopes: z.array(keyScope).min(1).max(3).optional().meta({ description: "Secret keys: default [\"leases\"]." }),
    origins: z.array(origin).min(1).max(50).optional().meta({ description: "Publishable keys: the pages that may use it." }),
    limits: keyLimits.optional(),
    require_signed_user: z.boolean().optional().meta({ description: "Publishable keys: a lease needs a user that the tenant's back end has signed (`user_signature`)." }),
    expires_at: timestamp.nullable().optional(),
  })
  .superRefine((body, ctx) => {
    if (body.type === "publishable" && !body.origins) ctx.addIssue({ code: "custom", path: ["origins"], message: "a publishable key needs its allowed origins" });
    if (body.type === "publishable" && body.scopes) ctx.addIssue({ code: "custom", path: ["scopes"], message: "only secret keys have scopes" });
    if (body.type === "secret" && body.require_signed_user) ctx.addIssue({ code: "custom", path: ["require_signed_user"], message: "only publishable keys require it: a secret key is the back end itself" });
    if (body.type === "secret" && body.origins) ctx.addIssue({ code: "custom", path: ["origins"], message: "only publishable keys have origins" });
  })
  .meta({ id: "KeyCreate" });
export type KeyCreate = z.infer<typeof keyCreate>;

/** The longest overlap of a rotation: 30 days. */
const MAX_OVERLAP_SECONDS = 30 * 86_400;

export const keyRotate = z
  .strictObject({
    overlap_s: z.int().min(0).max(MAX_OVERLAP_SECONDS).default(3600).meta({ description: "Seconds that the old key stays valid; 0: it ends now." }),
  })
  .meta({ id: "KeyRotate" });
export type KeyRotate = z.infer<typeof keyRotate>;

export const key = z
  .object({
    id: keyId,
    type: z.enum(["secret", "publishable"]),
    name: z.string(),
    hint: z.string().meta({ description: "The first characters, to tell keys apart." }),
    scopes: z.array(keyScope),
    origins: z.array(z.string()),
    limits: keyLimits,
    require_signed_user: z.boolean(),
    created_at: timestamp,
    expires_at: timestamp.nullable(),
    revoked_at: timestamp.nullable(),
    rotated_to: keyId.nullable().meta({ description: "The key that takes this one's place." }),
  })
  .meta({ id: "Key" });
export type Key = z.infer<typeof key>;

/**
 * The secret with which the tenant's back end signs its users' ids (HMAC-SHA-256, hex):
 * `hmac(secret, user)`, valid until the secret is; or `<exp>.` followed by `hmac(secret, "<exp>\n<user>")`, valid until
 * `exp`, in seconds since the epoch.
 */
export const userSignature = z
  .string()
  .regex(/^(?:[1-9]\d{9,11}\.)?[0-9a-f]{64}$/, "64 hex digits, after `<exp>.` where it expires")
  .meta({ description: "HMAC-SHA-256 of the user's id under the tenant's identity secret, in hex." });

export const userIdentity = z
  .object({
    created_at: timestamp.nullable().meta({ description: "Since when the current secret signs; null where there is none yet." }),
    previous_until: timestamp.nullable().meta({ description: "Until when the one before it is accepted too." }),
  })
  .meta({ id: "UserIdentity" });
export type UserIdentity = z.infer<typeof userIdentity>;

export const userIdentityRotated = userIdentity.extend({ secret: z.string().meta({ description: "The secret, lh_us_…: shown this once." }) }).meta({ id: "UserIdentityRotated" });
export type UserIdentityRotated = z.infer<typeof userIdentityRotated>;

export const keyCreated = key.extend({ key: z.string().meta({ description: "The key itself: shown this once." }) }).meta({ id: "KeyCreated" });
export type KeyCreated = z.infer<typeof keyCreated>;
