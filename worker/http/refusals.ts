/**
 * Which problems each way in may answer with: what the API's document lists by status, and what the fuzz test holds
 * every answer against. Pure.
 *
 * What follows from how a way is asked (a credential, a body, an idempotency key) is derived; what only that way can
 * run into is its row in `OWN`.
 */
import { PROBLEMS, type ProblemCode, type ProblemShape } from "../../schema/contract/problems.ts";
import { MODEL_FAULTS, type ModelFault } from "../../schema/onnx/fault.ts";
import { ACCESS } from "./access.ts";

type Way = keyof typeof ACCESS;

/** What the document says of an operation, as far as it tells what can go wrong. */
export interface Asked {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: unknown;
}

const OF_A_CREDENTIAL: readonly ProblemCode[] = ["unauthorized", "lease-expired", "invalid-dpop-proof", "forbidden", "origin-not-allowed", "not-found", "unavailable"];
const LEASE_OVER: readonly ProblemCode[] = ["lease-settled", "lease-revoked"];
const LIMITS: readonly ProblemCode[] = [
  "daily-quota-exceeded", "monthly-quota-exceeded", "tokens-per-minute-exceeded", "requests-per-minute-exceeded", "concurrent-leases-exceeded", "user-quota-exceeded",
  "key-quota-exceeded", "key-monthly-quota-exceeded", "key-tokens-per-minute-exceeded", "key-requests-per-minute-exceeded", "key-concurrent-leases-exceeded",
  "spend-limit-exceeded", "egress-quota-exceeded",
];

const MODEL_FAULT_CODES = Object.keys(MODEL_FAULTS) as readonly ModelFault[] satisfies readonly ProblemCode[];

const OWN: Partial<Record<Way, readonly ProblemCode[]>> = {
  "GET /readyz": ["unavailable"],
  "POST /v1/tenants": ["conflict", "isolation-not-bound"],
  "POST /v1/tenants/{t}/keys": ["conflict"],
  "POST /v1/tenants/{t}/keys/{id}/rotate": ["conflict"],
  "PUT /v1/tenants/{t}/secrets/{name}": ["conflict"],
  "POST /v1/tenants/{t}/user-identity/rotate": ["conflict"],
  "POST /v1/tenants/{t}/webhooks": ["conflict"],
  "POST /v1/tenants/{t}/webhooks/{id}/deliveries/{delivery}/replay": ["conflict"],
  "POST /v1/tenants/{t}/models/{model}/revisions": ["revision-too-large", "conflict", "too-many-revisions", "model-quota-exceeded", "storage-quota-exceeded", "model-control-flow"],
  "PUT /v1/tenants/{t}/blobs/{sha256}": ["payload-too-large", "digest-mismatch", "storage-quota-exceeded"],
  "POST /v1/tenants/{t}/models/{model}/revisions/{revision}/commit": ["base-not-granted", "revision-incomplete", "revision-too-large", "digest-mismatch", "model-quota-exceeded", "storage-quota-exceeded", ...MODEL_FAULT_CODES],
  "DELETE /v1/tenants/{t}/models/{model}/revisions/{revision}": ["conflict"],
  "POST /v1/tenants/{t}/models/{model}/rollout": ["base-not-granted", "conflict", "revision-incomplete", "model-quota-exceeded", "model-control-flow"],
  "POST /v1/tenants/{t}/models/{model}/rollback": ["base-not-granted", "conflict", "model-not-available", "model-control-flow"],
  "POST /v1/tenants/{t}/models/{model}/import": ["conflict", "model-quota-exceeded", "storage-quota-exceeded", "model-control-flow"],
  "DELETE /v1/tenants/{t}/imports/{id}": ["conflict"],
  "POST /v1/tenants/{t}/models/{model}/derive": ["conflict", "too-many-revisions", "model-quota-exceeded", "storage-quota-exceeded", "model-control-flow"],
  "PUT /v1/tenants/{t}/catalog/{model}": ["conflict", "too-many-revisions", "storage-quota-exceeded", "model-quota-exceeded", "model-control-flow"],
  "DELETE /v1/catalog/models/{model}": ["conflict"],
  "DELETE /v1/catalog/models/{model}/revisions/{revision}": ["conflict"],
  "POST /v1/catalog/models/{model}/revisions": ["revision-too-large", "conflict", "too-many-revisions", "model-control-flow"],
  "PUT /v1/catalog/blobs/{sha256}": ["payload-too-large", "digest-mismatch"],
  "POST /v1/catalog/models/{model}/revisions/{revision}/commit": ["revision-incomplete", "revision-too-large", "digest-mismatch", ...MODEL_FAULT_CODES],
  "POST /v1/catalog/models/{model}/import": ["conflict"],
  "POST /v1/catalog/models/{model}/rollback": ["conflict", "model-not-available"],
  "DELETE /v1/catalog/imports/{id}": ["conflict"],
  "PUT /v1/catalog/secrets/{name}": ["conflict"],
  "POST /v1/tenants/{t}/models/{model}/prices": ["model-not-available"],
  "POST /v1/leases": [...LIMITS, "tenant-disabled", "model-not-available", "user-not-verified", "lease-revoked"],
  "POST /v1/leases/{id}/usage": [...LEASE_OVER, "conflict", "usage-exceeds-hold"],
  "GET /v1/models": LEASE_OVER,
  "GET /v1/models/{model}/manifest": [...LEASE_OVER, "model-not-available", "precondition-failed"],
  "GET /v1/blobs/{sha256}": [...LEASE_OVER, "egress-quota-exceeded", "precondition-failed", "range-not-satisfiable"],
};

/** The codes that a way may answer with. */
export function refusalsOf(way: Way, asked: Asked): readonly ProblemCode[] {
  const access: readonly string[] = ACCESS[way];
  const codes = new Set<ProblemCode>(OWN[way]);
  if (!access.includes("anyone")) {
    for (const code of OF_A_CREDENTIAL) codes.add(code);
    if (access.includes("lease")) codes.add("dpop-nonce-required");
    if (asked.parameters !== undefined || asked.requestBody !== undefined) codes.add("invalid-request");
  }
  if (asked.requestBody !== undefined && !way.includes("/blobs/")) for (const code of ["payload-too-large", "unsupported-media-type"] as const) codes.add(code);
  if (asked.parameters?.some(({ name }) => name === "idempotency-key")) codes.add("idempotency-key-reused");
  return [...codes];
}

const HEADERS: Partial<Record<ProblemShape["status"], readonly string[]>> = {
  401: ["WWW-Authenticate"],
  429: ["Retry-After", "RateLimit", "RateLimit-Policy"],
  503: ["Retry-After"],
};

/** Answers by status, as OpenAPI has them; `x-codes` are the codes that a status comes with. */
export function refusalAnswers(codes: readonly ProblemCode[]): Record<string, object> {
  const byStatus = new Map<ProblemShape["status"], ProblemCode[]>();
  for (const code of codes) {
    const { status } = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].sort(([a], [b]) => a - b).map(([status, some]) => [
      status,
      {
        description: `${some.map((code) => `\`${code}\``).join(", ")}.`,
        "x-codes": some,
        ...(HEADERS[status] && { headers: Object.fromEntries(HEADERS[status].map((name) => [name, { schema: { type: "string" } }])) }),
        content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    ]),
  );
}
