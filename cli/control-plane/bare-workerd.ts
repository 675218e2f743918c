/**
 * The control plane on workerd without the `wrangler dev` proxy: for load and for being killed.
 *
 * Run as a program: reads `BareOptions` as JSON from the first argument, prints `{"url":"…","floorUrl":"…"}` on one line when
 * it serves, and ends with its process. Its process group holds workerd too, so a SIGKILL to the group is a power cut.
 * Each Worker has a port of its own: miniflare's one port leads through a Worker of its own, which costs a request as much
 * as a bare Hono does, and whose garbage stops the process too.
 */
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { Miniflare, convertV4MiniflareOptions } from "miniflare";
import { ROOT } from "../root.ts";
import { LOCAL_VARIABLES, type WorkerSecrets } from "../secrets.ts";

export interface BareOptions {
  /** Path of the bundled Worker. */
  readonly script: string;
  readonly stateDir: string;
  /** Variables beyond those of any local run, as wrangler.toml would set them. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly secrets: WorkerSecrets;
  /** A second Worker in the same workerd: the floor that a bench compares with. */
  readonly floorScript?: string;
}

const COMPATIBILITY = { compatibilityDate: "2026-11-01", compatibilityFlags: ["nodejs_compat"] };
const OWN_PORT = [{ host: "127.0.0.1", port: 0 }];
const NOT_BUILT = 'export default { fetch: () => new Response("not built", { status: 404 }) }';

interface Database {
  prepare(sql: string): { bind(...values: string[]): { run(): Promise<unknown>; first(): Promise<unknown> }; run(): Promise<unknown> };
}

async function applyMigrations(miniflare: Miniflare): Promise<void> {
  const { DB } = await miniflare.getBindings<{ DB: Database }>("leasehold");
  const folder = join(ROOT, "schema/migrations");
  await DB.prepare("CREATE TABLE IF NOT EXISTS d1_migrations (name TEXT PRIMARY KEY)").run();
  for (const name of (await readdir(folder)).filter((file) => file.endsWith(".sql")).sort()) {
    if ((await DB.prepare("SELECT 1 FROM d1_migrations WHERE name = ?").bind(name).first()) !== null) continue;
    for (const statement of (await readFile(join(folder, name), "utf8")).split("--> statement-breakpoint")) await DB.prepare(statement).run();
    await DB.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name).run();
  }
}

async function main(options: BareOptions): Promise<void> {
  const worker = {
    name: "leasehold",
    modules: [{ type: "ESModule" as const, path: "index.js", contents: await readFile(options.script, "utf8") }],
    ...COMPATIBILITY,
    bindings: { ...options.secrets, ...LOCAL_VARIABLES, ...options.variables, LEASE_ISSUER: "https://leasehold.test" },
    d1Databases: { DB: "leasehold" },
    r2Buckets: { BLOBS: "leasehold-blobs" },
    durableObjects: { TENANTS: { className: "TenantObject", useSQLite: true }, LAG_BOARD: { className: "LagBoard", useSQLite: true } },
    serviceBindings: { ASSETS: "assets" },
    unsafeDirectSockets: OWN_PORT,
  };
  const floor = options.floorScript === undefined ? [] : [{
    name: "floor",
    modules: [{ type: "ESModule" as const, path: "floor.js", contents: await readFile(options.floorScript, "utf8") }],
    ...COMPATIBILITY,
    bindings: { LEASE_SIGNING_KEYS: options.secrets.LEASE_SIGNING_KEYS },
    durableObjects: { FLOOR: { className: "FloorObject", useSQLite: true } },
    unsafeDirectSockets: OWN_PORT,
  }];
  const miniflare = new Miniflare(convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: 0,
    resourcePersistencePath: options.stateDir,
    workers: [worker, ...floor, { name: "assets", modules: true, script: NOT_BUILT, ...COMPATIBILITY }],
  }));
  await miniflare.ready;
  await applyMigrations(miniflare);
  const urlOf = async (name: string) => (await miniflare.unsafeGetDirectURL(name)).origin;
  process.stdout.write(`${JSON.stringify({ url: await urlOf("leasehold"), floorUrl: floor.length === 0 ? null : await urlOf("floor") })}\n`);
}

await main(JSON.parse(process.argv[2] ?? "{}") as BareOptions);
