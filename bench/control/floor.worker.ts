/**
 * What the control plane is measured against, in the same workerd: a route and nothing else; a route and one EdDSA
 * signature; a route and one durable write of one row. Also how the write's cost grows with a body like a lease's.
 */
import { DurableObject } from "cloudflare:workers";
import { Hono } from "hono";
import { type CryptoKey, SignJWT, importJWK } from "jose";

interface FloorEnv {
  readonly FLOOR: DurableObjectNamespace<FloorObject>;
  readonly LEASE_SIGNING_KEYS: string;
}

export class FloorObject extends DurableObject {
  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env as never);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS floor (id INTEGER PRIMARY KEY, body TEXT NOT NULL)");
  }

  write(body: string): number {
    return this.ctx.storage.transactionSync(() => Number(this.ctx.storage.sql.exec("INSERT INTO floor (body) VALUES (?) RETURNING id", body).one()["id"]));
  }
}

let key: Promise<CryptoKey> | undefined;

async function sign(env: FloorEnv): Promise<string> {
  key ??= importJWK((JSON.parse(env.LEASE_SIGNING_KEYS) as { keys: [JsonWebKey] }).keys[0], "EdDSA") as Promise<CryptoKey>;
  return new SignJWT({ tenant: "bench", model: "m", hold: 100 }).setProtectedHeader({ alg: "EdDSA", typ: "lease+jwt" }).setIssuedAt().setExpirationTime("5m").sign(await key);
}

const app = new Hono<{ Bindings: FloorEnv }>();
app.post("/bare", (c) => c.json({ ok: true }));
app.post("/sign", async (c) => c.json({ lease: await sign(c.env) }));
app.post("/write", async (c) => c.json({ id: await c.env.FLOOR.get(c.env.FLOOR.idFromName("bench")).write(await c.req.text()) }));

export default app;
