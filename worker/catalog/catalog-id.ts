/** The id of the operator's catalogue, where a tenant has its own: `_` is in no tenant's. */
import type { TenantId } from "../../schema/contract/ids.ts";

export const CATALOG = "_catalog" as TenantId;
