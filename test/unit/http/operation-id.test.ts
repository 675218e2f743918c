import { expect, test } from "vitest";
import { ACCESS } from "../../../worker/http/access.ts";
import { operationIdOf } from "../../../worker/http/operation-id.ts";

const idOf = (way: string) => operationIdOf(...(way.split(" ") as [string, string]));

test("each way in has a name of its own, fit for a programming language", () => {
  const ids = Object.keys(ACCESS).map(idOf);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^(?:get|head|post|put|patch|delete)[A-Z][A-Za-z0-9]*$/);
});

// Clients are generated from these: a change here breaks them.
test.each([
  ["POST /v1/leases", "postLeases"],
  ["GET /v1/tenants", "getTenants"],
  ["GET /v1/tenants/{t}", "getTenantsByT"],
  ["DELETE /v1/tenants/{t}/keys/{id}", "deleteTenantsByTKeysById"],
  ["POST /v1/tenants/{t}/models/{model}/revisions/{revision}/commit", "postTenantsByTModelsByModelRevisionsByRevisionCommit"],
  ["GET /.well-known/jwks.json", "getWellKnownJwksJson"],
  ["GET /v1/tenants/{t}/user-identity", "getTenantsByTUserIdentity"],
])("%s is %s", (way, id) => {
  expect(idOf(way)).toBe(id);
});
