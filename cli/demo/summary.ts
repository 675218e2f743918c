/** What the demo prints when it is up: where to look, and the keys to try the API with. */
import type { Demo } from "./start.ts";

export function summaryOf({ plane, tenants }: Demo, seconds: number): string {
  const sites = tenants.map(({ tenant, site }) => `  ${tenant.create.name.padEnd(16)} ${site.url}`);
  const keys = tenants.flatMap(({ tenant, keys: { admin, backend, publishable } }) => [
    `  ${tenant.id}`,
    `    admin          ${admin}`,
    `    back end       ${backend}`,
    `    publishable    ${publishable.key}`,
  ]);
  return `
Leasehold is running (started in ${seconds.toFixed(0)} s).

Tenant sites: drop a picture with text on one of them
${sites.join("\n")}

Operator
  API              ${plane.url}
  API document     ${plane.url}/openapi.json
  Console          ${plane.url}/console
  operator key     ${plane.operatorKey}

Keys of the tenants (development only)
${keys.join("\n")}

Ctrl-C stops everything. The next run goes on where this one stopped; --reset starts over.`;
}
