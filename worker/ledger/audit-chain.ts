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
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1)); // no two are the same
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

export const sha256Base64Url = (data: string): string => createHash("sha256").update(data).digest("base64url");
export const sha256Hex = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

export function hashOf(tenant: string, entry: Omit<AuditEntry, "hash">): string {
  return sha256Hex(`${entry.prevHash}\n${canonicalJson({ tenant, ...entry })}`);
}

/** The entry that follows `head`. Its details are plain JSON: what JSON can't say is gone before it is hashed. */
export function chain(tenant: string, head: ChainHead, fact: AuditFact, at: number): AuditEntry {
  const open = {
    seq: head.seq + 1,
    at: Math.max(at, head.at),
    action: fact.action,
    actor: fact.actor,
    user: fact.user ?? null,
    model: fact.model ?? null,
    requestId: fact.requestId ?? null,
    details: JSON.parse(canonicalJson(fact.details)) as Record<string, unknown>,
    prevHash: head.hash,
  };
  return { ...open, hash: hashOf(tenant, open) };
}
