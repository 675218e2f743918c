/**
 * The Worker's bindings and configuration, validated once per isolate. A fault names what to set.
 *
 * Secrets (never in wrangler.toml): `LEASEHOLD_OPERATOR_KEY_SHA256` (hex), `LEASE_SIGNING_KEYS` (a JWKS of private
 * Ed25519 keys as JSON; the first signs, all verify), `LEASEHOLD_MASTER_KEY` (32 bytes, base64url), and while a master
 * key is being rotated `LEASEHOLD_PREVIOUS_MASTER_KEYS` (the same, comma-separated).
 */
import { z } from "zod";
import { type MasterKey, fromBase64Url, masterKeyOf } from "./secrets/envelope.ts";
import type { TenantObject } from "./ledger/tenant-object.ts";

export interface Env {
  readonly DB: D1Database;
  readonly BLOBS: R2Bucket;
  readonly TENANTS: DurableObjectNamespace<TenantObject>;
  readonly ASSETS: Fetcher;
  readonly LEASE_ISSUER: string;
  readonly LEASEHOLD_OPERATOR_KEY_SHA256: string;
  readonly LEASE_SIGNING_KEYS: string;
  readonly LEASEHOLD_MASTER_KEY: string;
  readonly LEASEHOLD_PREVIOUS_MASTER_KEYS?: string;
}

const privateKey = z.object({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), kid: z.string().min(1), x: z.string(), d: z.string() });

const masterKey = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, "32 bytes in base64url, 43 characters")
  .transform((text) => masterKeyOf(fromBase64Url(text) as Uint8Array<ArrayBuffer>));

const settings = z.object({
  LEASE_ISSUER: z.string().min(1),
  LEASEHOLD_OPERATOR_KEY_SHA256: z.string().regex(/^[0-9a-f]{64}$/, "the SHA-256 of the operator key, 64 lower-case hex digits"),
  LEASE_SIGNING_KEYS: z
    .string()
    .transform((text, ctx) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        ctx.addIssue({ code: "custom", message: "a JWKS as JSON text" });
        return z.NEVER;
      }
    })
    .pipe(z.object({ keys: z.array(privateKey).min(1) })),
  LEASEHOLD_MASTER_KEY: masterKey,
  LEASEHOLD_PREVIOUS_MASTER_KEYS: z
    .string()
    .default("")
    .transform((text) => text.split(",").filter((key) => key !== ""))
    .pipe(z.array(masterKey)),
});

export interface Settings {
  readonly issuer: string;
  readonly operatorKeySha256: string;
  readonly signingKeys: readonly z.infer<typeof privateKey>[];
  /** The current one first. */
  readonly masterKeys: readonly [MasterKey, ...MasterKey[]];
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
  const value: Settings = {
    issuer: data.LEASE_ISSUER,
    operatorKeySha256: data.LEASEHOLD_OPERATOR_KEY_SHA256,
    signingKeys: data.LEASE_SIGNING_KEYS.keys,
    masterKeys: [data.LEASEHOLD_MASTER_KEY, ...data.LEASEHOLD_PREVIOUS_MASTER_KEYS],
  };
  parsed = { env, settings: value };
  return value;
}
