/**
 * Around each test file in workerd: before it, D1 gets its tables; after it, the witness judges every statement that
 * the Worker sent to D1 meanwhile.
 */
import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll } from "vitest";
import { heard } from "./d1-tap.ts";
import { judge } from "./d1-witness.ts";
import type { Env as WorkerEnv } from "../../worker/env.ts";

declare module "cloudflare:workers" {
  namespace Cloudflare {
    interface Env extends WorkerEnv {
      readonly TEST_MIGRATIONS: D1Migration[];
      readonly DB_FULL_A: D1Database;
      readonly DB_FULL_B: D1Database;
      readonly BLOBS_FULL_A: R2Bucket;
      readonly BLOBS_FULL_B: R2Bucket;
      /** The operator's key, whose hash the Worker has. */
      readonly TEST_OPERATOR_KEY: string;
      /** Whether this is the long run (LEASEHOLD_SOAK=1). */
      readonly TEST_SOAK: boolean;
    }
  }
}

await Promise.all([env.DB, env.DB_FULL_A, env.DB_FULL_B].map((database) => applyD1Migrations(database, env.TEST_MIGRATIONS)));

afterAll(async () => {
  const faults = await judge(heard.values(), env.DB);
  if (faults.length > 0) throw new Error(`statements that could reach another tenant's rows:\n${faults.join("\n")}`);
});
