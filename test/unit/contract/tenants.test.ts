/** What a change of a tenant names, and which regions are promises, labels or neither. */
import { describe, expect, test } from "vitest";
import { DEFAULT_POLICY, policy } from "../../../schema/contract/policy.ts";
import { isJurisdiction, region } from "../../../schema/contract/region.ts";
import { origin, tenantUpdate } from "../../../schema/contract/tenants.ts";

describe("a change of a tenant's policy", () => {
  test("holds what was named and no defaults; null is a change too", () => {
    expect(tenantUpdate.parse({ policy: { daily_token_limit: 2000, storage_bytes: null } })).toStrictEqual({ policy: { daily_token_limit: 2000, storage_bytes: null } });
    expect(tenantUpdate.parse({ policy: {} })).toStrictEqual({ policy: {} });
  });

  test("knows every field of a policy and no other", () => {
    expect(tenantUpdate.parse({ policy: DEFAULT_POLICY })).toStrictEqual({ policy: DEFAULT_POLICY });
    expect(tenantUpdate.safeParse({ policy: { dayly_token_limit: 1 } }).success).toBe(false);
  });
});

test("a whole policy has a default for each field that is not named", () => {
  expect(policy.parse({ daily_token_limit: 7 })).toStrictEqual({ ...DEFAULT_POLICY, daily_token_limit: 7 });
  expect(DEFAULT_POLICY).toMatchObject({ egress_bytes_daily: null, time_zone: "UTC", offline_leases: false });
});

describe("a region", () => {
  test.each(["eu", "fedramp"])("%s is a jurisdiction", (name) => {
    expect([region.parse(name), isJurisdiction(name)]).toEqual([name, true]);
  });

  test.each(["auto", "us", "us-east-1", "apac", "new-zealand"])("%s is a label", (name) => {
    expect([region.parse(name), isJurisdiction(name)]).toEqual([name, false]);
  });

  test.each(["EU", "Eu", " eu", "eu ", "eu-west", "eu-west-1", "europe", "e-u", "eu1", "\u0435u", "fedramp-high", "FedRAMP", "fed", "", "-", "us_east"])("%j is refused: it could be taken for a promise", (name) => {
    expect(region.safeParse(name).success).toBe(false);
  });
});

describe("an origin of a publishable key", () => {
  test.each(["https://shop.example", "http://localhost:8080", "https://xn--bcher-kva.example", "https://a_b.shop.example", "http://127.0.0.1:3000", "http://[::1]:3000"])("%s", (text) => {
    expect(origin.parse(text)).toBe(text);
  });

  // The first three are hosts to the URL parser, and every host to a policy that says who may frame the widget.
  test.each(["https://*", "https://*.shop.example", "https://shop.*", "https://shop.example/", "https://shop.example:443", "HTTPS://shop.example", "https://sh;op.example", "https://shop.example'", "null", "*", "chrome-extension://abc"])("not %s", (text) => {
    expect(origin.safeParse(text).success).toBe(false);
  });
});
