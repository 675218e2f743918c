/** Who is signed in at the console. No answer holds a key, nor the session's own text: that is in the cookie alone. */
import { z } from "zod";
import { timestamp } from "./amounts.ts";
import { keyId, tenantId } from "./ids.ts";
import { keyScope } from "./tenants.ts";

/** How long a session lasts at most; it ends with its key where that ends sooner. */
export const SESSION_MS = 8 * 3_600_000;

export const session = z
  .object({
    kind: z.enum(["operator", "secret"]).meta({ description: "The key that it was obtained with." }),
    tenant: tenantId.nullable().meta({ description: "null: the operator's, for all of them." }),
    key_id: keyId.nullable().meta({ description: "null: the operator key." }),
    scopes: z.array(keyScope),
    expires_at: timestamp.nullable().meta({ description: "When it has to be obtained anew; null where the request brought the key itself." }),
  })
  .meta({ id: "Session" });
export type Session = z.infer<typeof session>;
