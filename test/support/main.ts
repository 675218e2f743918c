/** The Worker as the tests in workerd run it: the real one, with D1 behind the tap. */
import { createApp } from "../../worker/app.ts";
import type { Env } from "../../worker/env.ts";
import { TenantObject as RealTenantObject } from "../../worker/ledger/tenant-object.ts";
import { tapEnv } from "./d1-tap.ts";

export { LagBoard } from "../../worker/metrics/lag-board.ts";

export class TenantObject extends RealTenantObject {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, tapEnv(env));
  }
}

const app = createApp();

// A Worker's handler is its module's default export.
export default { fetch: (request: Request, env: Env, ctx: ExecutionContext) => app.fetch(request, tapEnv(env), ctx) };
