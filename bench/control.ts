/**
 * `npm run bench:control`: what the control plane costs, on workerd without a proxy, against floors in the same workerd.
 *
 * Interleaved repeats; requests a second and p99 of each. Then the rows that a lease writes, and what a million of them
 * cost. Then the noisy neighbour (bench/control/noise.ts), which `-- --only=noise` measures alone.
 */
import { apiAt } from "../cli/api.ts";
import { leaseGranted } from "../schema/contract/leases.ts";
import { costOfMillion } from "./control/cost.ts";
import { noisyNeighbour } from "./control/noise.ts";
import { rowsEach } from "./control/rows.ts";
import { deploy } from "./support/deployment.ts";
import { type Load, type LoadResult, expectOnly, send } from "./support/load.ts";
import { type Measure, publish, summarize } from "./support/results.ts";
import { BENCH_MODEL, type BenchTenant, makeTenant } from "./support/tenants.ts";

const REPEATS = 3;
/** Leases that are ready to be reported: more than a run of them takes a second for. */
const REPORTS = 2_000;
/** Issuances whose rows are counted. */
const COUNTED = 1_000;
const SECONDS = Number(process.env["BENCH_SECONDS"] ?? 5);
const HOST = "leasehold.test";

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const lease = (user?: string) => JSON.stringify({ model: BENCH_MODEL, tokens: 100, ...(user && { user }) });

const deployment = await deploy({ floor: "bench/control/floor.toml" });
const { url, operatorKey } = deployment;
try {
  await publish("control", [...(process.argv.includes("--only=noise") ? [] : await ratesAndRows()), ...(await noisyNeighbour(deployment))]);
} finally {
  await deployment.remove();
}

async function ratesAndRows(): Promise<Measure[]> {
  const tenant = await makeTenant(apiAt(url, operatorKey), "bench", { daily_token_limit: 9_000_000_000_000, monthly_token_limit: 9_000_000_000_000, monthly_spend_limit: 9_000_000_000_000_000 });
  const floor = { url: deployment.floorUrl ?? url, host: "floor.test", method: "POST" as const, body: lease(), seconds: SECONDS };
  const here = { url, host: HOST, headers: bearer(tenant.key), seconds: SECONDS };
  const runs: Record<string, () => Promise<LoadResult>> = {
    "bare Hono": () => on({ ...floor, path: "/bare" }, 200),
    "Hono + EdDSA sign": () => on({ ...floor, path: "/sign" }, 200),
    "one durable SQLite write": () => on({ ...floor, path: "/write" }, 200),
    "lease issuance": () => on({ ...here, method: "POST", path: "/v1/leases", body: lease() }, 201),
    "usage report": async () => on({ ...here, method: "POST", path: "/v1/leases", each: await reports(tenant) }, 200),
    "blob range read (64 KiB)": () => on({ ...here, method: "GET", path: `/v1/blobs/${tenant.blob.sha256}`, headers: { ...bearer(tenant.key), range: "bytes=0-65535" } }, 206),
  };
  const samples = new Map<string, LoadResult[]>();
  await runs["lease issuance"]?.(); // warm
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (const [name, run] of Object.entries(runs)) {
      samples.set(name, [...(samples.get(name) ?? []), await run()]);
      console.error(`${name}: ${samples.get(name)?.at(-1)?.perSecond.toFixed(0)}/s`);
    }
  }
  const rate = (name: string) => (samples.get(name) ?? []).map((result) => result.perSecond);
  const write = { peer: "one durable SQLite write", samples: rate("one durable SQLite write") };
  const measures: Measure[] = [...samples].flatMap(([name, results]) => [
    summarize(name, "requests/s", rate(name), name === write.peer ? undefined : write),
    summarize(`${name}, p99`, "ms", results.map((result) => result.p99Ms)),
  ]);
  const issued = [...rate("lease issuance")].sort((a, b) => a - b)[Math.floor(REPEATS / 2)] as number;
  return [...measures, ...(await rowsAndCost(tenant, here, issued))];
}

async function on(load: Load, status: number): Promise<LoadResult> {
  return expectOnly(await send(load), status);
}

/** One report for each of `REPORTS` fresh leases. */
async function reports(tenant: BenchTenant) {
  const body = JSON.stringify({ seq: 1, request_id: "bench", input_tokens: 40, output_tokens: 10, outcome: "ok", latency_ms: 20, backend: "wasm", cache: "hit", final: true });
  const each: { path: string; body: string; headers: Record<string, string> }[] = [];
  while (each.length < REPORTS) {
    const grants = await Promise.all(Array.from({ length: 20 }, () => tenant.admin.post("/v1/leases", { model: BENCH_MODEL, tokens: 100 }, leaseGranted)));
    for (const grant of grants) each.push({ path: `/v1/leases/${grant.lease_id}/usage`, body, headers: bearer(grant.lease) });
  }
  return each;
}

/** `perSecond`: how many leases were issued. A lease's row is deleted some days after its end, which is a written row too. */
async function rowsAndCost(tenant: BenchTenant, here: Pick<Load, "url" | "host" | "headers">, perSecond: number): Promise<Measure[]> {
  const measures: Measure[] = [];
  for (const [name, user] of [["issuance", undefined], ["issuance for a user", "user-1"]] as const) {
    const each = Array.from({ length: COUNTED }, () => ({ path: "/v1/leases", body: lease(user), headers: bearer(tenant.key) }));
    const rows = await rowsEach(tenant, COUNTED, () => on({ ...here, method: "POST", path: "/v1/leases", each }, 201));
    const counted = { objectRows: rows.object, d1Rows: rows.d1, perSecond };
    measures.push(
      summarize(`rows written by an ${name}, object`, "rows", [rows.object]),
      summarize(`rows written by an ${name}, D1`, "rows", [rows.d1]),
      summarize(`a million times: ${name}`, "US dollars", [costOfMillion(counted)]),
      summarize(`a million times: ${name}, and its row's deletion`, "US dollars", [costOfMillion({ ...counted, objectRows: rows.object + 1 })]),
    );
  }
  const each = await reports(tenant);
  const rows = await rowsEach(tenant, each.length, () => on({ ...here, method: "POST", path: "/v1/leases", each }, 200));
  return [...measures, summarize("rows written by a usage report, object", "rows", [rows.object]), summarize("rows written by a usage report, D1", "rows", [rows.d1])];
}
