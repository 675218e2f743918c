/** The Worker's entry: the HTTP application and the tenant object. */
import { createApp } from "./app.ts";

export { LagBoard } from "./metrics/lag-board.ts";
export { TenantObject } from "./ledger/tenant-object.ts";

// A Worker's handler is its module's default export.
export default createApp();
