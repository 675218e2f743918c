/**
 * What a request is about, validated once at the door and typed from there on.
 *
 * - `requestId` is the caller's `X-Request-Id` where it is well formed, else a new one; it is returned, logged, and
 *   stands in every audit event that the request causes.
 * - `metadata` holds labels, never authority: the caller's own, at most 16. The tenant object adds `region` and `tier`
 *   of the tenant where the caller does not name these itself.
 */
import type { RequestId, TenantId, UserId } from "../../schema/contract/ids.ts";
import type { Metadata } from "../../schema/contract/leases.ts";

export interface TenantContext {
  readonly tenant: TenantId;
  readonly requestId: RequestId;
  readonly user: UserId | null;
  readonly metadata: Metadata;
}

/** What a validated body says of whom and what it is for. */
export interface About {
  readonly user?: UserId | undefined;
  readonly metadata?: Metadata | undefined;
}

export function contextOf(tenant: TenantId, requestId: RequestId, about: About = {}): TenantContext {
  return { tenant, requestId, user: about.user ?? null, metadata: about.metadata ?? {} };
}

export function labelled(own: Metadata, profile: { readonly region: string; readonly subscriptionTier: string }): Metadata {
  return { region: profile.region, tier: profile.subscriptionTier, ...own };
}
