/** Before each test file in workerd: D1 has its tables. */
import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { Env as WorkerEnv } from "../../worker/env.ts";

declare module "cloudflare:workers" {
  namespace Cloudflare {
    interface Env extends WorkerEnv {
      readonly TEST_MIGRATIONS: D1Migration[];
      /** The operator's key, whose hash the Worker has. */
      readonly TEST_OPERATOR_KEY: string;
      /** Whether this is the long run (LEASEHOLD_SOAK=1). */
      readonly TEST_SOAK: boolean;
    }
  }
}

await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);
