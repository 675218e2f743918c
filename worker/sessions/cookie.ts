/**
 * The cookie that carries a console session, and which requests it is taken from. Pure.
 *
 * - `__Host-`: of this very host, over a secure connection, for all paths; no page of a neighbouring host can set it.
 * - Only our own pages may use it. `SameSite=Strict` says so to the browser; beside that, a request that names another
 *   page is refused, and one that changes anything must name ours: by `Origin`, or by `Sec-Fetch-Site`.
 */
export const SESSION_COOKIE = "__Host-leasehold_session";

const RULES = "Path=/; Secure; HttpOnly; SameSite=Strict";

export const sessionCookie = (text: string, seconds: number): string => `${SESSION_COOKIE}=${text}; Max-Age=${seconds}; ${RULES}`;

export const NO_SESSION_COOKIE = `${SESSION_COOKIE}=; Max-Age=0; ${RULES}`;

/** The session's text in a `Cookie` header; null where there is none, empty where it can't be told which of several it is. */
export function sessionTextOf(header: string | undefined): string | null {
  const found = (header ?? "").split(";").map((pair) => pair.trim()).filter((pair) => pair.startsWith(`${SESSION_COOKIE}=`));
  const [only] = found;
  if (only === undefined) return null;
  return found.length === 1 ? only.slice(SESSION_COOKIE.length + 1) : "";
}

export interface Sender {
  readonly method: string;
  /** The operator's own origin. */
  readonly own: string;
  readonly origin: string | null;
  /** `Sec-Fetch-Site`. */
  readonly site: string | null;
}

/** Whether a request with the cookie comes from one of our own pages. */
export function isOwnPage({ method, own, origin, site }: Sender): boolean {
  const reads = method === "GET" || method === "HEAD";
  if (origin !== null && origin !== own) return false;
  if (site !== null && site !== "same-origin" && !(reads && site === "none")) return false;
  return reads || origin === own || site === "same-origin";
}
