/** The operator's change of a tenant: what is not named stays as it is. */
import { expect, test } from "vitest";
import { policy } from "../../../schema/contract/policy.ts";
import { tenantCreate } from "../../../schema/contract/tenants.ts";
import { newConfig } from "../../../worker/ledger/config.ts";
import { applied } from "../../../worker/ledger/desks/tenant-desk.ts";

const limits = policy.parse({ daily_token_limit: 1000, monthly_spend_limit: 5, model_quota: 3, time_zone: "Europe/Berlin", offline_leases: true });
const before = newConfig(tenantCreate.parse({ id: "acme", name: "Acme", policy: limits }), 0);

test("one limit is changed: all others, the time zone and the ceiling's others stay", () => {
  const after = applied(before, { policy: { daily_token_limit: 2000 } }, 1);
  expect([after.policy, after.ceiling]).toEqual([{ ...limits, daily_token_limit: 2000 }, { ...limits, daily_token_limit: 2000 }]);
});

test("null removes a limit, and only that one", () => {
  const after = applied(before, { policy: { monthly_spend_limit: null } }, 1);
  expect([after.policy, after.ceiling]).toEqual([{ ...limits, monthly_spend_limit: null }, { ...limits, monthly_spend_limit: null }]);
});

test("what the tenant lowered for itself does not lower what the operator allows", () => {
  const lowered = { ...before, policy: { ...limits, daily_token_limit: 10, monthly_spend_limit: 1 } };
  const after = applied(lowered, { policy: { monthly_spend_limit: 4 } }, 1);
  expect(after.policy).toEqual({ ...limits, daily_token_limit: 10, monthly_spend_limit: 4 });
  expect(after.ceiling).toEqual({ ...limits, monthly_spend_limit: 4 });
});

test("model_quota is short for the policy's", () => {
  const after = applied(before, { model_quota: 9 }, 1);
  expect([after.policy, after.ceiling]).toEqual([{ ...limits, model_quota: 9 }, { ...limits, model_quota: 9 }]);
});
