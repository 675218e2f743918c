/**
 * The Worker's secrets for development and tests: made at random, never committed, never on a command line.
 *
 * - `makeSecrets` draws new ones; `operatorKey` is the only one that a person types.
 * - `secretsOf(stateDir)` keeps them in `<state>/dev-secrets.json` (mode 0600), so that keys, leases and wrapped
 *   secrets of one state stay valid from run to run. Another operator key replaces the kept one, nothing else.
 */
import { randomBytes, createHash, generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { makeOperatorKey, parseKey } from "../schema/contract/keys.ts";
import { readPrivate, writePrivate } from "./private-file.ts";

const secrets = z.object({ operatorKey: z.string(), signingKeys: z.string(), masterKey: z.string() });
export type Secrets = z.infer<typeof secrets>;

export interface WorkerSecrets {
  readonly LEASEHOLD_OPERATOR_KEY_SHA256: string;
  readonly LEASE_SIGNING_KEYS: string;
  readonly LEASEHOLD_MASTER_KEY: string;
}
export const SECRET_NAMES: readonly string[] = ["LEASEHOLD_OPERATOR_KEY_SHA256", "LEASE_SIGNING_KEYS", "LEASEHOLD_MASTER_KEY"] satisfies (keyof WorkerSecrets)[];

/** How the Worker's surroundings on a developer's machine differ from the platform. */
export const LOCAL_VARIABLES = {
  JURISDICTIONS: "local", // workerd has none
  WEBHOOK_DESTINATIONS: "local", // a developer's receiver is on localhost
} as const;

export function makeSecrets(operatorKey: string = makeOperatorKey()): Secrets {
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const kid = `dev-${randomBytes(6).toString("hex")}`;
  return {
    operatorKey,
    signingKeys: JSON.stringify({ keys: [{ kty: jwk.kty, crv: jwk.crv, kid, x: jwk.x, d: jwk.d }] }),
    masterKey: randomBytes(32).toString("base64url"),
  };
}

/** What the Worker is given: the operator key only as its hash. */
export function workerSecrets({ operatorKey, signingKeys, masterKey }: Secrets): WorkerSecrets {
  return {
    LEASEHOLD_OPERATOR_KEY_SHA256: createHash("sha256").update(operatorKey).digest("hex"),
    LEASE_SIGNING_KEYS: signingKeys,
    LEASEHOLD_MASTER_KEY: masterKey,
  };
}

export async function secretsOf(stateDir: string, operatorKey?: string): Promise<Secrets> {
  if (operatorKey !== undefined && parseKey(operatorKey)?.kind !== "operator") {
    throw new Error("--operator-key is not spelled as an operator key (lh_op_…). Leave it out to have one made.");
  }
  const path = join(stateDir, "dev-secrets.json");
  const kept = await readPrivate(path, secrets);
  const next = kept ? { ...kept, operatorKey: operatorKey ?? kept.operatorKey } : makeSecrets(operatorKey);
  await writePrivate(path, JSON.stringify(next, null, 2));
  return next;
}

/** The file that `wrangler dev --env-file` reads. Values hold no single quote and no line break. */
export async function writeEnvFile(stateDir: string, { ...vars }: WorkerSecrets): Promise<string> {
  const path = join(stateDir, "dev-secrets.env");
  await writePrivate(path, Object.entries(vars).map(([name, value]) => `${name}='${value}'\n`).join(""));
  return path;
}
