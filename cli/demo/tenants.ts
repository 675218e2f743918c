/** The two tenants of the demo. */
import type { z } from "zod";
import { type TenantId, tenantId } from "../../schema/contract/ids.ts";
import type { Prices } from "../../schema/contract/models.ts";
import { type TenantCreate, tenantCreate } from "../../schema/contract/tenants.ts";

export interface DemoTenant {
  readonly id: TenantId;
  readonly create: TenantCreate;
  readonly prices: Prices;
  /** The visitor that the demo site names to the widget. */
  readonly user: string;
  /** Of the demo site, where it is free. */
  readonly port: number;
}

const define = (create: z.input<typeof tenantCreate>, rest: Omit<DemoTenant, "id" | "create">): DemoTenant => ({
  id: tenantId.parse(create.id),
  create: tenantCreate.parse(create),
  ...rest,
});

export const ACME = define(
  {
    id: "acme",
    name: "Acme Books",
    subscription_tier: "pro",
    contact_email: "ops@acme.example",
    policy: { daily_token_limit: 1_000_000, per_user_daily_tokens: 200_000, requests_per_minute: 600, concurrent_leases: 50 },
  },
  { prices: { input_nanos_per_token: 300, output_nanos_per_token: 600, call_nanos: 20_000 }, user: "user-456", port: 8801 },
);

export const GLOBEX = define(
  { id: "globex", name: "Globex Freight", subscription_tier: "enterprise", contact_email: "it@globex.example", policy: { daily_token_limit: 5_000_000 } },
  { prices: { input_nanos_per_token: 250, output_nanos_per_token: 500 }, user: "dock-7", port: 8802 },
);

export const TENANTS: readonly DemoTenant[] = [ACME, GLOBEX];
