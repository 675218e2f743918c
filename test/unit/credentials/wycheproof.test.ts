/**
 * Wycheproof's vectors of JWS and JWK, put to the lease's verifier and to the configuration of its keys: none is a lease
 * of ours, valid or not, and none of their keys may sign leases.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeProtectedHeader } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { settingsOf } from "../../../worker/env.ts";
import { verifyLease } from "../../../worker/leases/token.ts";
import { type SigningJwk, newSigningKey, settingsWith } from "../../support/lease-token.ts";

interface Vectors {
  readonly numberOfTests: number;
  readonly testGroups: readonly {
    readonly comment: string;
    readonly private?: unknown;
    readonly public?: unknown;
    readonly tests: readonly { readonly tcId: number; readonly comment: string; readonly jws: string; readonly result: string }[];
  }[];
}

const at = (name: string) => join(import.meta.dirname, "../../../../shared/vectors/wycheproof", name);
const there = existsSync(at("json_web_signature.json"));
const read = (name: string) => JSON.parse(readFileSync(at(name), "utf8")) as Vectors;

if (!there) {
  test.skipIf(process.env.CI !== "true")("the vectors are at ../shared/vectors/wycheproof (they are not: skipped, and failed where CI=true)", () => {
    throw new Error("../shared/vectors/wycheproof is missing");
  });
}

describe.runIf(there)("Wycheproof", () => {
  let key: SigningJwk;
  beforeAll(async () => {
    key = await newSigningKey("ours");
  });

  const kidOf = (jws: string): string => {
    try {
      return decodeProtectedHeader(jws).kid ?? "ours";
    } catch {
      return "ours"; // no header that can be read: which key it would name does not matter
    }
  };

  test.each(["json_web_signature.json", "json_web_key.json"])("%s: 0 tokens are accepted, though our key has the very kid that each names", async (name) => {
    const { testGroups, numberOfTests } = read(name);
    const tests = testGroups.flatMap((group) => group.tests);
    expect(tests).toHaveLength(numberOfTests);
    const accepted: number[] = [];
    for (const { tcId, jws } of tests) {
      for (const kid of [kidOf(jws), "ours"]) if ((await verifyLease(jws, settingsWith({ ...key, kid }))) !== "invalid") accepted.push(tcId);
    }
    expect(accepted).toEqual([]);
  });

  test("0 of their keys are taken as a signing key of leases", () => {
    const accepted: string[] = [];
    for (const name of ["json_web_signature.json", "json_web_key.json"]) {
      for (const group of read(name).testGroups) {
        for (const jwk of [group.private, group.public].flatMap((found) => (found as { keys?: unknown[] })?.keys ?? [found]).filter((found) => found !== undefined && found !== null)) {
          const env = { LEASE_ISSUER: "x", LEASEHOLD_OPERATOR_KEY_SHA256: "0".repeat(64), LEASEHOLD_MASTER_KEY: "A".repeat(43), LEASE_SIGNING_KEYS: JSON.stringify({ keys: [jwk] }) };
          try {
            settingsOf(env as never);
            accepted.push(group.comment);
          } catch (cause) {
            expect(String(cause)).toContain("LEASE_SIGNING_KEYS");
          }
        }
      }
    }
    expect(accepted).toEqual([]);
  });

  test("the same kid twice, as in their key sets, is no configuration", async () => {
    const env = { LEASE_ISSUER: "x", LEASEHOLD_OPERATOR_KEY_SHA256: "0".repeat(64), LEASEHOLD_MASTER_KEY: "A".repeat(43) };
    const other = await newSigningKey("ours");
    const withKeys = (...keys: unknown[]) => () => settingsOf({ ...env, LEASE_SIGNING_KEYS: JSON.stringify({ keys }) } as never);
    expect(withKeys(key, other)).toThrow(/each kid once/);
    expect(withKeys(key, { ...other, kid: "other" })).not.toThrow();
    const { d: _, ...retired } = other;
    expect(withKeys(key, { ...retired, kid: "retired" })).not.toThrow();
    expect(withKeys({ ...retired, kid: "first" }, key)).toThrow(/LEASE_SIGNING_KEYS/);
    expect(withKeys()).toThrow(/LEASE_SIGNING_KEYS/);
  });
});
