/**
 * The hash chain of a tenant's audit events. Pure.
 *
 * `hash(n) = SHA-256(hash(n−1) ‖ "\n" ‖ canonical JSON of event n)`; the first event follows `GENESIS`.
 * `seq` counts from 1 without a gap; `at` never goes back, whatever a clock does, so that an instant is a place in the chain.
 * Canonical JSON (after RFC 8785, for the plain values events hold): keys sorted by UTF-16 code units, no white space.
 */
import { createHash } from "node:crypto";
import type { AuditAction } from "../../schema/contract/records.ts";

export const GENESIS = "0".repeat(64);

/** What happened, before it has its place in the chain. */
export interface AuditFact {
  readonly action: AuditAction;
  readonly actor: string;
  readonly user?: string | null;
  readonly model?: string | null;
  readonly requestId?: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

/** In the details of an event whose request id is that of an inference: the id of the call, where it is another one. */
export const callNamed = (call: string | null, requestId: string | null): { readonly call_request_id?: string } => (call === null || call === requestId ? {} : { call_request_id: call });

export interface AuditEntry {
  readonly seq: number;
  readonly at: number;
  readonly action: AuditAction;
  readonly actor: string;
  readonly user: string | null;
  readonly model: string | null;
  readonly requestId: string | null;
  readonly details: Readonly<Record<string, unknown>>;
  readonly prevHash: string;
  readonly hash: string;
}

export interface ChainHead {
  readonly seq: number;
  readonly hash: string;
  readonly at: number;
}

/** The head of a chain without events. */
export const EMPTY_CHAIN: ChainHead = { seq: 0, hash: GENESIS, at: 0 };

export function canonicalJson(value: unknown): string {
  if (typeof value === "string") return quoted(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  let members = "";
  for (const name of Object.keys(value).sort()) {
    const member = (value as Readonly<Record<string, unknown>>)[name];
    if (member !== undefined) members += `${members === "" ? "" : ","}${quoted(name)}:${canonicalJson(member)}`;
  }
  return `{${members}}`;
}

/** Printable ASCII that JSON escapes nothing of, as most texts are. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
const quoted = (text: string) => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));

export const sha256Base64Url = (data: string): string => createHash("sha256").update(data).digest("base64url");
export const sha256Hex = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

export function hashOf(tenant: string, entry: Omit<AuditEntry, "hash">): string {
  return sha256Hex(`${entry.prevHash}\n${entryText(entry, canonicalJson(entry.details), { tenant })}`);
}

/** Canonical JSON of an entry as it is kept, with its hash; or as it is hashed, with its tenant. `details`: theirs. */
export function entryText(entry: Omit<AuditEntry, "hash">, details: string, { hash, tenant }: { readonly hash?: string; readonly tenant?: string }): string {
  const member = (name: string, value: string | undefined) => (value === undefined ? "" : `,"${name}":${quoted(value)}`);
  return (
    `{"action":"${entry.action}","actor":${quoted(entry.actor)},"at":${entry.at},"details":${details}${member("hash", hash)},"model":${canonicalJson(entry.model)}` +
    `,"prevHash":"${entry.prevHash}","requestId":${canonicalJson(entry.requestId)},"seq":${entry.seq}${member("tenant", tenant)},"user":${canonicalJson(entry.user)}}`
  );
}

/** The entry that follows `head`. Its details are plain JSON: what JSON can't say is gone before it is hashed. */
export function chain(tenant: string, head: ChainHead, fact: AuditFact, at: number): AuditEntry {
  const details = canonicalJson(fact.details);
  const open = {
    seq: head.seq + 1,
    at: Math.max(at, head.at),
    action: fact.action,
    actor: fact.actor,
    user: fact.user ?? null,
    model: fact.model ?? null,
    requestId: fact.requestId ?? null,
    details: JSON.parse(details) as Record<string, unknown>,
    prevHash: head.hash,
  };
  return { ...open, hash: sha256Hex(`${head.hash}\n${entryText(open, details, { tenant })}`) };
}
