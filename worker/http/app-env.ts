/** What every handler's context holds. */
import type { Env } from "../env.ts";

export interface AppEnv {
  Bindings: Env;
  Variables: { requestId: string };
}
