/**
 * The Worker's bindings and configuration, validated once per isolate. A fault names what to set.
 *
 * Secrets (never in wrangler.toml): `LEASEHOLD_OPERATOR_KEY_SHA256` (hex), `LEASE_SIGNING_KEYS` (a JWKS of Ed25519
 * keys as JSON; the first, a private one, signs; all verify), `LEASEHOLD_MASTER_KEY` (32 bytes, base64url), and while a master
 * key is being rotated `LEASEHOLD_PREVIOUS_MASTER_KEYS` (the same, comma-separated).
 *
 * Variables: `TENANT_STORES` (for tenants with `isolation_level: "full"`: their D1 and R2 bindings by name) and
 * `JURISDICTIONS` (`platform`; `local` where the runtime has none, as workerd on a developer's machine) and
 * `WEBHOOK_DESTINATIONS` (`public`; `local` lets webhooks go to http://localhost too, on a developer's machine) and
 * `HF_ENDPOINT` (the model hub that imports ask; the operator's own choice, so that it may be a local address).
 */
import { z } from "zod";
import { type TenantId, tenantId } from "../schema/contract/ids.ts";
import { type MasterKey, fromBase64Url, masterKeyOf } from "./secrets/envelope.ts";
import type { LagBoard } from "./metrics/lag-board.ts";
import type { TenantObject } from "./ledger/tenant-object.ts";

export interface Env {
  readonly DB: D1Database;
  readonly BLOBS: R2Bucket;
  readonly TENANTS: DurableObjectNamespace<TenantObject>;
  readonly LAG_BOARD: DurableObjectNamespace<LagBoard>;
  readonly ASSETS: Fetcher;
  readonly LEASE_ISSUER: string;
  readonly LEASEHOLD_OPERATOR_KEY_SHA256: string;
  readonly LEASE_SIGNING_KEYS: string;
  readonly LEASEHOLD_MASTER_KEY: string;
  readonly LEASEHOLD_PREVIOUS_MASTER_KEYS?: string;
  readonly TENANT_STORES?: unknown;
  readonly JURISDICTIONS?: string;
  readonly WEBHOOK_DESTINATIONS?: string;
  readonly HF_ENDPOINT?: string;
}

const keyHalf = z.string().regex(/^[A-Za-z0-9_-]{43}$/, "32 bytes in base64url, 43 characters");
const publicKey = z.object({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), kid: z.string().regex(/^[\w.-]{1,64}$/), x: keyHalf });
const privateKey = publicKey.extend({ d: keyHalf });
/** A key that only verifies needs no private half any more. */
const retiredKey = publicKey.extend({ d: keyHalf.optional() });
const signingKeys = z.object({ keys: z.tuple([privateKey], retiredKey).refine((keys) => eachOnce(keys.map(({ kid }) => kid)), "each kid once") });

const masterKey = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, "32 bytes in base64url, 43 characters")
  .transform((text) => masterKeyOf(fromBase64Url(text) as Uint8Array<ArrayBuffer>));

/** A table of wrangler.toml, or the same as JSON text. */
const tenantStores = z
  .union([z.string().transform((text, ctx) => parseJson(text, ctx)), z.unknown()])
  .pipe(z.record(tenantId, z.strictObject({ d1: z.string().min(1), r2: z.string().min(1) })))
  .refine((stores) => eachOnce(["DB", "BLOBS", ...Object.values(stores).flatMap(({ d1, r2 }) => [d1, r2])]), "each binding for one tenant alone, and none of them DB or BLOBS");

const settings = z.object({
  LEASE_ISSUER: z.string().min(1),
  LEASEHOLD_OPERATOR_KEY_SHA256: z.string().regex(/^[0-9a-f]{64}$/, "the SHA-256 of the operator key, 64 lower-case hex digits"),
  LEASE_SIGNING_KEYS: z
    .string()
    .transform((text, ctx) => parseJson(text, ctx))
    .pipe(signingKeys),
  LEASEHOLD_MASTER_KEY: masterKey,
  LEASEHOLD_PREVIOUS_MASTER_KEYS: z
    .string()
    .default("")
    .transform((text) => text.split(",").filter((key) => key !== ""))
    .pipe(z.array(masterKey)),
  TENANT_STORES: tenantStores.default({}),
  JURISDICTIONS: z.enum(["platform", "local"]).default("platform"),
  WEBHOOK_DESTINATIONS: z.enum(["public", "local"]).default("public"),
  HF_ENDPOINT: z.url({ protocol: /^https?$/ }).default("https://huggingface.co"),
});

function parseJson(text: string, ctx: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text);
  } catch {
    ctx.addIssue({ code: "custom", message: "JSON text" });
    return z.NEVER;
  }
}

const eachOnce = (names: readonly string[]) => new Set(names).size === names.length;

export interface Settings {
  readonly issuer: string;
  readonly operatorKeySha256: string;
  /** The first signs; all verify. */
  readonly signingKeys: readonly [z.infer<typeof privateKey>, ...z.infer<typeof retiredKey>[]];
  /** The current one first. */
  readonly masterKeys: readonly [MasterKey, ...MasterKey[]];
  readonly tenantStores: ReadonlyMap<TenantId, { readonly d1: string; readonly r2: string }>;
  readonly jurisdictions: "platform" | "local";
  readonly webhookDestinations: "public" | "local";
  /** The model hub that imports ask. */
  readonly hubEndpoint: string;
}

let parsed: { env: Env; settings: Settings } | undefined;

/** Throws an Error that names each setting that is missing or malformed; never shows a value. */
export function settingsOf(env: Env): Settings {
  if (parsed?.env === env) return parsed.settings;
  const result = settings.safeParse(env);
  if (!result.success) {
    throw new Error(`configuration: ${result.error.issues.map((issue) => `set ${issue.path.join(".")}: ${issue.message}`).join("; ")}`);
  }
  const { data } = result;
  const unbound = Object.values(data.TENANT_STORES).flatMap(({ d1, r2 }) => [d1, r2]).filter((name) => !(name in env));
  if (unbound.length > 0) throw new Error(`configuration: TENANT_STORES names ${unbound.join(", ")}: bind them in wrangler.toml`);
  const value: Settings = {
    issuer: data.LEASE_ISSUER,
    operatorKeySha256: data.LEASEHOLD_OPERATOR_KEY_SHA256,
    signingKeys: data.LEASE_SIGNING_KEYS.keys,
    masterKeys: [data.LEASEHOLD_MASTER_KEY, ...data.LEASEHOLD_PREVIOUS_MASTER_KEYS],
    tenantStores: new Map(Object.entries(data.TENANT_STORES) as [TenantId, { d1: string; r2: string }][]),
    jurisdictions: data.JURISDICTIONS,
    webhookDestinations: data.WEBHOOK_DESTINATIONS,
    hubEndpoint: data.HF_ENDPOINT,
  };
  parsed = { env, settings: value };
  return value;
}
