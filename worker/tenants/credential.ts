/**
 * Who asks. A `Presented` credential is what the request claims, with everything proved that can be proved without the
 * tenant object (spelling, signature, operator hash). A `Verified` one has been accepted by the tenant object itself;
 * it is the only thing that a tenant-bound handle can be made from.
 */
import type { KeyId, LeaseId, TenantId } from "../../schema/contract/ids.ts";
import type { Proof } from "../leases/dpop.ts";
import type { KeyScope } from "../../schema/contract/tenants.ts";

/** A session of the console that has not ended by itself. */
export interface OneSession {
  readonly id: string;
  readonly endsAt: number;
}

export type Presented =
  | {
      readonly kind: "operator";
      /** Signed in at the console; absent where the key itself came. */
      readonly session?: OneSession;
    }
  | {
      /** Signed in at the console with this secret key, from a page of the operator's own origin. */
      readonly kind: "session";
      readonly tenant: TenantId;
      readonly keyId: KeyId;
      readonly session: OneSession;
    }
  | {
      readonly kind: "key";
      readonly type: "secret" | "publishable";
      readonly tenant: TenantId;
      /** SHA-256 of the key's text, hex. */
      readonly hash: string;
      /** The page's origin, where a browser states one that is not the operator's own. */
      readonly origin: string | null;
      /** The request comes from a page of the operator's own origin: the embed, which `frame-ancestors` guards. */
      readonly fromEmbed: boolean;
      /** It is to be exchanged for a session: a secret key may then come from a page of the operator's own origin. */
      readonly signsIn?: true;
    }
  | {
      readonly kind: "lease";
      readonly tenant: TenantId;
      readonly leaseId: LeaseId;
      /** The proof of its key that a bound lease came with; each is taken once. */
      readonly proof?: Proof | null;
      /** An offline lease past its end: it may be reported, and nothing else. */
      readonly late?: boolean;
    };

/** One way in: the operator, a lease, an offline lease past its end, a publishable key, or a secret key with this scope (`admin` includes the others). */
export type Access = "operator" | "lease" | "late-lease" | "publishable" | KeyScope;

/** Browsers come this way: every answer to a credential that holds says how the limits stand. */
export const isDataPlane = (access: readonly Access[]): boolean => access.includes("lease") || access.includes("publishable");

/** Where a tenant's rows and objects are: the shared stores, or its own. */
export type IsolationLevel = "pooled" | "full";

export interface Identity {
  readonly tenant: TenantId;
  readonly isolation: IsolationLevel;
  /** For the audit: `operator`, or the id of the key or the lease. */
  readonly actor: string;
  readonly kind: "operator" | "secret" | "publishable" | "lease";
  readonly keyId: string | null;
  readonly leaseId: LeaseId | null;
}

declare const verifiedBrand: unique symbol;
export type Verified = Identity & { readonly [verifiedBrand]: true };

/** To be called with what the tenant object accepted, and by the tenant object about itself; by nothing else. */
export const asVerified = (identity: Identity): Verified => identity as Verified;
