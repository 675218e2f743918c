/**
 * Every kind of credential that a request may bring, made for one tenant, and what the access table says of each:
 * the rule is written here a second time, on purpose, so that the door is measured against it.
 */
import { env } from "cloudflare:workers";
import { crc32 } from "../../schema/contract/keys.ts";
import type { KeyScope } from "../../schema/contract/tenants.ts";
import { settingsOf } from "../../worker/env.ts";
import type { WayOpenTo } from "../../worker/http/access.ts";
import { signLease } from "../../worker/leases/token.ts";
import { SESSION_COOKIE } from "../../worker/sessions/cookie.ts";
import { signSession } from "../../worker/sessions/token.ts";
import { type Ask, BASE, OPERATOR_KEY, api, expectStatus } from "./api.ts";
import { ORIGIN, type TestTenant, type TinyModel, getLease, makeKey, provisionTenant, publishTinyModel } from "./tenant.ts";

export interface Who {
  readonly name: string;
  readonly ask: Pick<Ask, "key" | "origin" | "headers">;
  readonly kind: "nobody" | "operator" | "publishable" | "lease" | "late-lease" | KeyScope;
  /** Refused before anything else, with this code. */
  readonly fault?: "unauthorized" | "lease-expired";
  /** The key is revoked or expired. */
  readonly dead?: boolean;
  /** The `Origin` that the request states is not one that this credential may come from. */
  readonly wrongPage?: boolean;
  readonly otherTenant?: boolean;
  /** A session of the console: it stands for its key, but does not sign in. */
  readonly session?: boolean;
  /** The key that signs in for another such session, where one is about to be signed out of. */
  readonly signsInWith?: string;
  /** A secret key from our own page: it may sign in there, and nothing else. */
  readonly ownPage?: boolean;
}

export interface Cast {
  readonly tenant: TestTenant;
  readonly other: TestTenant;
  readonly model: TinyModel;
  readonly leaseId: string;
  readonly all: readonly Who[];
}

const HOUR = 3_600_000;

/** `setClock`: keys that expire are made in the past. */
export async function makeCast(clock: { set(at: number): void }): Promise<Cast> {
  const now = Date.now();
  clock.set(now - 2 * HOUR);
  const tenant = await provisionTenant();
  const other = await provisionTenant();
  const expired = await makeKey(tenant.id, { type: "secret", name: "expired", scopes: ["admin"], expires_at: new Date(now - HOUR).toISOString() });
  const revoked = await makeKey(tenant.id, { type: "secret", name: "revoked", scopes: ["admin"] });
  const revokedPublishable = await makeKey(tenant.id, { type: "publishable", name: "revoked", origins: [ORIGIN] });
  const revokedSession = await signedIn(revoked.key);
  const expiredSession = await signedIn(expired.key);
  for (const key of [revoked, revokedPublishable]) expectStatus(await api.delete(`/v1/tenants/${tenant.id}/keys/${key.id}`, { key: OPERATOR_KEY }), 200);
  clock.set(now);
  const [admins, readers, others, operators] = await Promise.all([tenant.admin, tenant.reader, other.admin, OPERATOR_KEY].map((key) => signedIn(key)));
  const model = await publishTinyModel(tenant);
  await publishTinyModel(other, { model: "other", fill: 8 });
  const lease = await getLease(tenant);
  const otherLease = await getLease(other, { model: "other" });
  // The tenant's lease, signed with other times than its own.
  const madeUp = (times: { issuedAt: number; expiresAt: number; reportsUntil: number }) => {
    const granted = { leaseId: lease.lease_id, tenant: tenant.id, model: "tiny", revision: model.revision, manifestSha256: lease.model.manifest_sha256, purpose: "inference", hold: 100 };
    return signLease({ ...granted, ...times } as Parameters<typeof signLease>[0], settingsOf(env));
  };
  const expiredLease = await madeUp({ issuedAt: now - 2 * HOUR, expiresAt: now - HOUR, reportsUntil: now - HOUR });
  const lateLease = await madeUp({ issuedAt: now - 2 * HOUR, expiresAt: now - HOUR, reportsUntil: now + HOUR });
  const body = `lh_sk_${tenant.id}_${"a".repeat(32)}`;
  const all: Who[] = [
    { name: "none", ask: {}, kind: "nobody", fault: "unauthorized" },
    { name: "malformed key", ask: { key: `${tenant.admin.slice(0, -1)}x` }, kind: "nobody", fault: "unauthorized" },
    { name: "malformed token", ask: { key: "eyJhbGciOiJub25lIn0.e30." }, kind: "nobody", fault: "unauthorized" },
    { name: "another scheme", ask: { headers: { authorization: `Basic ${btoa(tenant.admin)}` } }, kind: "nobody", fault: "unauthorized" },
    { name: "made-up key", ask: { key: body + crc32(body) }, kind: "admin", dead: true },
    { name: "operator", ask: { key: OPERATOR_KEY }, kind: "operator" },
    { name: "operator in another page", ask: { key: OPERATOR_KEY, origin: ORIGIN }, kind: "operator", wrongPage: true },
    { name: "sk admin", ask: { key: tenant.admin }, kind: "admin" },
    { name: "sk leases", ask: { key: tenant.secret }, kind: "leases" },
    { name: "sk read", ask: { key: tenant.reader }, kind: "read" },
    { name: "sk in a page", ask: { key: tenant.admin, origin: ORIGIN }, kind: "admin", wrongPage: true },
    { name: "pk", ask: { key: tenant.publishable, origin: ORIGIN }, kind: "publishable" },
    { name: "pk in the embed", ask: { key: tenant.publishable, origin: BASE }, kind: "publishable" },
    { name: "sk in the embed", ask: { key: tenant.admin, origin: BASE }, kind: "admin", wrongPage: true, ownPage: true },
    { name: "pk, wrong origin", ask: { key: tenant.publishable, origin: "https://evil.example" }, kind: "publishable", wrongPage: true },
    { name: "pk, no origin", ask: { key: tenant.publishable }, kind: "publishable", wrongPage: true },
    { name: "lease", ask: { key: lease.lease }, kind: "lease" },
    { name: "expired lease", ask: { key: expiredLease }, kind: "lease", fault: "lease-expired" },
    { name: "offline lease in its grace time", ask: { key: lateLease }, kind: "late-lease" },
    { name: "revoked key", ask: { key: revoked.key }, kind: "admin", dead: true },
    { name: "revoked pk", ask: { key: revokedPublishable.key, origin: ORIGIN }, kind: "publishable", dead: true },
    { name: "expired key", ask: { key: expired.key }, kind: "admin", dead: true },
    { name: "other tenant's sk", ask: { key: other.admin }, kind: "admin", otherTenant: true },
    { name: "other tenant's pk", ask: { key: other.publishable, origin: ORIGIN }, kind: "publishable", otherTenant: true },
    { name: "other tenant's lease", ask: { key: otherLease.lease }, kind: "lease", otherTenant: true },
    { name: "session of the operator", ask: inPage(operators), kind: "operator", session: true, signsInWith: OPERATOR_KEY },
    { name: "session of sk admin", ask: inPage(admins), kind: "admin", session: true, signsInWith: tenant.admin },
    { name: "session of sk read", ask: inPage(readers), kind: "read", session: true, signsInWith: tenant.reader },
    { name: "session from another page", ask: inPage(admins, ORIGIN), kind: "admin", session: true, wrongPage: true },
    { name: "session of the operator from another page", ask: inPage(operators, ORIGIN), kind: "operator", session: true, wrongPage: true },
    { name: "session of a revoked key", ask: inPage(revokedSession), kind: "admin", session: true, dead: true },
    { name: "session of an expired key", ask: inPage(expiredSession), kind: "nobody", session: true, fault: "unauthorized" },
    { name: "session that is over", ask: inPage(cookieOf(signSession({ kind: "operator", id: "ses_1", endsAt: now - 1 }, settingsOf(env)))), kind: "nobody", session: true, fault: "unauthorized" },
    { name: "session that nobody signed", ask: inPage(cookieOf("e30.x")), kind: "nobody", session: true, fault: "unauthorized" },
    { name: "other tenant's session", ask: inPage(others), kind: "admin", session: true, otherTenant: true, signsInWith: other.admin },
    { name: "sk read beside a session of sk admin", ask: { key: tenant.reader, headers: { cookie: admins ?? "" } }, kind: "read" },
  ];
  return { tenant, other, model, leaseId: lease.lease_id, all };
}

const cookieOf = (session: string): string => `${SESSION_COOKIE}=${session}`;

/** As our own page sends it, unless another is named. */
export const inPage = (cookie = "", origin = BASE): Who["ask"] => ({ origin, headers: { cookie } });

/** The cookie of a new session of this key. */
export async function signedIn(key: string): Promise<string> {
  const { headers } = expectStatus(await api.post("/v1/session", { key, origin: BASE }), 201);
  return (headers.get("set-cookie") ?? "").split(";")[0] as string;
}

/** How the door must answer; null where it lets the request through. */
export function doorAnswer(row: readonly WayOpenTo[], way: string, who: Who): [number, string] | null {
  if (row.includes("anyone")) return null;
  const named = way.includes("{t}");
  const forbidden: [number, string] = [403, "forbidden"];
  const signsIn = way === "POST /v1/session";
  if (signsIn && who.session) return [401, "unauthorized"];
  if (who.fault) return [401, who.fault];
  if (who.session && who.wrongPage) return [403, "origin-not-allowed"];
  if (who.kind === "operator" && who.wrongPage) return [403, "origin-not-allowed"];
  if (named && who.otherTenant) return [404, "not-found"];
  if (!named && who.kind !== "operator" && row.every((open) => open === "operator")) return forbidden;
  if (who.kind === "late-lease" && !row.includes("late-lease")) return [401, "lease-expired"];
  if (who.dead) return [401, "unauthorized"];
  if (who.kind === "admin" && who.wrongPage && !(signsIn && who.ownPage)) return [403, "origin-not-allowed"];
  if (who.kind === "publishable") return !row.includes("publishable") ? forbidden : who.wrongPage ? [403, "origin-not-allowed"] : null;
  if (who.kind === "admin") return row.some((open) => open === "admin" || open === "leases" || open === "read") ? null : forbidden;
  return row.includes(who.kind as WayOpenTo) ? null : forbidden;
}
