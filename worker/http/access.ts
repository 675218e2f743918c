/**
 * Who may use which way in: the one table that handlers, tests, the API's document and docs/access.md read.
 *
 * `anyone`: no credential is read. `operator`: the operator key. `admin`, `leases`, `read`: a secret key with that scope (`admin` includes the others).
 * `publishable`: a publishable key from a page of its origins. `lease`: a lease, for itself and its own model;
 * `late-lease`: an offline one past its end, within its grace time.
 * A session of the console stands for the key that it was obtained with, on every way in but `POST /v1/session`.
 * A path's `{t}` must be the credential's tenant; the operator's is any.
 */
import type { Access } from "../tenants/credential.ts";

export type WayOpenTo = Access | "anyone";

export const ACCESS = {
  "GET /healthz": ["anyone"],
  "GET /readyz": ["anyone"],
  "GET /.well-known/jwks.json": ["anyone"],
  "GET /openapi.json": ["anyone"],
  "GET /docs": ["anyone"],
  "POST /v1/session": ["operator", "admin", "leases", "read"],
  "GET /v1/session": ["operator", "admin", "leases", "read"],
  "DELETE /v1/session": ["operator", "admin", "leases", "read"],
  "POST /v1/tenants": ["operator"],
  "GET /v1/tenants": ["operator"],
  "GET /v1/tenants/{t}": ["operator", "admin", "read"],
  "PATCH /v1/tenants/{t}": ["operator", "admin"],
  "DELETE /v1/tenants/{t}": ["operator"],
  "GET /v1/tenants/{t}/erasure": ["operator"],
  "GET /v1/tenants/{t}/policy": ["operator", "admin", "read"],
  "PUT /v1/tenants/{t}/policy": ["operator", "admin"],
  "GET /v1/tenants/{t}/quota": ["operator", "admin", "read"],
  "POST /v1/tenants/{t}/keys": ["operator", "admin"],
  "GET /v1/tenants/{t}/keys": ["operator", "admin"],
  "POST /v1/tenants/{t}/keys/{id}/rotate": ["operator", "admin"],
  "DELETE /v1/tenants/{t}/keys/{id}": ["operator", "admin"],
  "GET /v1/tenants/{t}/secrets": ["operator", "admin"],
  "PUT /v1/tenants/{t}/secrets/{name}": ["operator", "admin"],
  "DELETE /v1/tenants/{t}/secrets/{name}": ["operator", "admin"],
  "POST /v1/tenants/{t}/secrets/rewrap": ["operator"],
  "GET /v1/tenants/{t}/user-identity": ["operator", "admin"],
  "POST /v1/tenants/{t}/user-identity/rotate": ["operator", "admin"],
  "POST /v1/tenants/{t}/webhooks": ["operator", "admin"],
  "GET /v1/tenants/{t}/webhooks": ["operator", "admin"],
  "DELETE /v1/tenants/{t}/webhooks/{id}": ["operator", "admin"],
  "GET /v1/tenants/{t}/webhooks/{id}/deliveries": ["operator", "admin"],
  "POST /v1/tenants/{t}/webhooks/{id}/deliveries/{delivery}/replay": ["operator", "admin"],
  "GET /v1/tenants/{t}/models": ["operator", "admin", "read"],
  "POST /v1/tenants/{t}/models/{model}/revisions": ["operator", "admin"],
  "PUT /v1/tenants/{t}/blobs/{sha256}": ["operator", "admin"],
  "POST /v1/tenants/{t}/models/{model}/revisions/{revision}/commit": ["operator", "admin"],
  "GET /v1/tenants/{t}/models/{model}/revisions": ["operator", "admin", "read"],
  "DELETE /v1/tenants/{t}/models/{model}": ["operator", "admin"],
  "DELETE /v1/tenants/{t}/models/{model}/revisions/{revision}": ["operator", "admin"],
  "POST /v1/tenants/{t}/models/{model}/rollout": ["operator", "admin"],
  "POST /v1/tenants/{t}/models/{model}/rollback": ["operator", "admin"],
  "POST /v1/tenants/{t}/models/{model}/import": ["operator", "admin"],
  "GET /v1/tenants/{t}/imports": ["operator", "admin", "read"],
  "GET /v1/tenants/{t}/imports/{id}": ["operator", "admin", "read"],
  "DELETE /v1/tenants/{t}/imports/{id}": ["operator", "admin"],
  "POST /v1/tenants/{t}/models/{model}/derive": ["operator", "admin"],
  "GET /v1/tenants/{t}/catalog": ["operator", "admin", "read"],
  "PUT /v1/tenants/{t}/catalog/{model}": ["operator"],
  "DELETE /v1/tenants/{t}/catalog/{model}": ["operator"],
  "GET /v1/tenants/{t}/audit": ["operator", "admin", "read"],
  "GET /v1/tenants/{t}/audit/verify": ["operator", "admin", "read"],
  "GET /v1/tenants/{t}/audit/export": ["operator", "admin", "read"],
  "PUT /v1/tenants/{t}/audit/resend": ["operator"],
  "GET /v1/tenants/{t}/prices": ["operator", "admin", "read"],
  "POST /v1/tenants/{t}/models/{model}/prices": ["operator", "admin"],
  "GET /v1/tenants/{t}/usage": ["operator", "admin", "read"],
  "GET /v1/tenants/{t}/billing": ["operator", "admin", "read"],
  "GET /v1/tenants/{t}/metrics": ["operator", "admin", "read"],
  "GET /v1/tenants/{t}/metrics.prom": ["operator", "admin", "read"],
  "GET /v1/metrics.prom": ["operator"],
  "GET /v1/operator/audit": ["operator"],
  "GET /v1/operator/audit/verify": ["operator"],
  "GET /v1/operator/audit/export": ["operator"],
  "GET /v1/catalog/models": ["operator"],
  "POST /v1/catalog/models/{model}/revisions": ["operator"],
  "PUT /v1/catalog/blobs/{sha256}": ["operator"],
  "POST /v1/catalog/models/{model}/revisions/{revision}/commit": ["operator"],
  "DELETE /v1/catalog/models/{model}": ["operator"],
  "DELETE /v1/catalog/models/{model}/revisions/{revision}": ["operator"],
  "GET /v1/catalog/models/{model}/revisions": ["operator"],
  "POST /v1/catalog/models/{model}/rollback": ["operator"],
  "GET /v1/catalog/models/{model}/grants": ["operator"],
  "POST /v1/catalog/models/{model}/import": ["operator"],
  "GET /v1/catalog/imports": ["operator"],
  "GET /v1/catalog/imports/{id}": ["operator"],
  "DELETE /v1/catalog/imports/{id}": ["operator"],
  "GET /v1/catalog/secrets": ["operator"],
  "PUT /v1/catalog/secrets/{name}": ["operator"],
  "DELETE /v1/catalog/secrets/{name}": ["operator"],
  "POST /v1/catalog/secrets/rewrap": ["operator"],
  "POST /v1/leases": ["publishable", "leases"],
  "GET /v1/leases/{id}": ["lease", "late-lease", "publishable", "leases", "read"],
  "POST /v1/leases/{id}/usage": ["lease", "late-lease", "leases"],
  "GET /v1/models": ["lease", "publishable", "leases", "read"],
  "GET /v1/models/{model}/manifest": ["lease", "leases", "read"],
  "GET /v1/blobs/{sha256}": ["lease", "leases", "read"],
} as const satisfies Record<string, readonly WayOpenTo[]>;

type Rows = typeof ACCESS;
/** A way in that needs a credential. */
export type WayIn = { [Way in keyof Rows]: Rows[Way] extends readonly ["anyone"] ? never : Way }[keyof Rows];
/** The one way in that takes a key itself, from our own page too, and no session. */
export const SIGN_IN = "POST /v1/session" satisfies WayIn;
/** A way in that needs none. */
export type OpenWay = Exclude<keyof Rows, WayIn>;
