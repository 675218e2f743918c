/** What every handler's context holds. */
import type { RequestId, TenantId } from "../../schema/contract/ids.ts";
import type { Quota } from "../../schema/contract/policy.ts";
import type { Env } from "../env.ts";
import type { Presented } from "../tenants/credential.ts";

export interface AppEnv {
  Bindings: Env;
  Variables: {
    requestId: RequestId;
    /** The caller named it, in a header of its own. */
    requestNamed: boolean;
    /** On guarded routes: who asks, and for which tenant; null where the operator asks across tenants. */
    presented: Presented;
    tenant: TenantId | null;
    /** How the limits stand, where the answer says it. */
    quota?: Partial<Quota>;
  };
}
