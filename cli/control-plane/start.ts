/**
 * Starts the whole control plane on this machine: `wrangler dev` with D1, R2 and Durable Objects in miniflare,
 * all state in one folder, D1 migrations applied, development secrets made where missing.
 *
 * - Resolves when `/healthz` answers 200; rejects with wrangler's own words where it does not come to that.
 * - `stop` ends wrangler and workerd and gives the folder back. It may be called more than once.
 */
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { buildClient } from "../build/build-client.ts";
import { LOCAL_VARIABLES, secretsOf, workerSecrets, writeEnvFile } from "../secrets.ts";
import { freePort, isFree } from "./ports.ts";
import { lockState } from "./state-lock.ts";
import { type WranglerServer, runWrangler, startWrangler } from "./wrangler.ts";

export interface ControlPlaneOptions {
  readonly stateDir: string;
  /** A number: that port or none. Without: 8787, or another where that is taken. */
  readonly port?: number | "any";
  /** Without: the one kept in the state folder, or a new one. */
  readonly operatorKey?: string;
  readonly log: (text: string) => void;
  readonly signal?: AbortSignal;
}

export interface ControlPlane {
  readonly url: string;
  readonly operatorKey: string;
  readonly stateDir: string;
  /** Resolves with the last output when the server ends. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

const DEFAULT_PORT = 8787;
const READY_MS = 90_000;
/** A free port may be taken by another run before the server has it. */
const PORT_TRIES = 5;

export async function startControlPlane({ stateDir: folder, port, operatorKey, log, signal }: ControlPlaneOptions): Promise<ControlPlane> {
  const stateDir = resolve(folder);
  signal?.throwIfAborted();
  if (typeof port === "number" && !(await isFree(port))) throw new Error(inUse(port));
  const unlock = await lockState(stateDir);
  try {
    // Not before the folder is ours: another run may be serving the client that a build would replace.
    await buildClient();
    const secrets = await secretsOf(stateDir, operatorKey);
    const envFile = await writeEnvFile(stateDir, workerSecrets(secrets));
    await runWrangler({ stateDir, log, args: ["d1", "migrations", "apply", "DB", "--local", "--persist-to", stateDir] });
    const { url, server } = await serve({ stateDir, envFile, port, log, signal });
    const stop = async () => {
      await server.stop();
      unlock();
    };
    return { url, operatorKey: secrets.operatorKey, stateDir, ended: server.ended, stop };
  } catch (error) {
    unlock();
    throw error;
  }
}

interface Serving extends Pick<ControlPlaneOptions, "port" | "log" | "signal"> {
  readonly stateDir: string;
  readonly envFile: string;
}

async function serve({ stateDir, envFile, port: wanted, log, signal }: Serving): Promise<{ url: string; server: WranglerServer }> {
  for (let tries = 1; ; tries++) {
    signal?.throwIfAborted();
    const port = typeof wanted === "number" ? wanted : await freePort(wanted === "any" ? undefined : DEFAULT_PORT);
    const url = `http://localhost:${port}`;
    // `--env-file` gives the secrets that wrangler.toml names, and nothing else.
    const variables = Object.entries({ ...LOCAL_VARIABLES, ...hubOfRun() }).map(([name, value]) => `--var=${name}:${value}`);
    const args = [...variables, "--ip=127.0.0.1", `--port=${port}`, "--inspector-port=0", `--persist-to=${stateDir}`, `--env-file=${envFile}`, "--show-interactive-dev-session=false"];
    const server = startWrangler({ stateDir, log, args: ["dev", ...args] });
    try {
      await untilHealthy(url, server.ended, signal);
      return { url, server };
    } catch (error) {
      await server.stop();
      const lostPort = (error as Error).message.includes("Address already in use");
      if (lostPort && typeof wanted === "number") throw new Error(inUse(wanted), { cause: error });
      if (!lostPort || tries === PORT_TRIES) throw error;
    }
  }
}

const inUse = (port: number) => `Port ${port} is in use. Choose another with --port, or leave --port out to have a free one taken.`;

async function untilHealthy(url: string, ended: Promise<string>, signal: AbortSignal | undefined): Promise<void> {
  const settled = new AbortController();
  const over = ended.then((said) => {
    throw new Error(`wrangler dev ended before it served:\n${said}`);
  });
  const poll = async () => {
    const deadline = performance.now() + READY_MS;
    let last = "no answer";
    while (performance.now() < deadline && !settled.signal.aborted) {
      signal?.throwIfAborted();
      try {
        const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5_000) });
        if (response.ok) return;
        last = `status ${response.status}`;
      } catch (error) {
        last = (error as Error).message; // not listening yet
      }
      await sleep(150);
    }
    throw new Error(`${url}/healthz did not answer 200 within ${READY_MS / 1000} s (last: ${last}).`);
  };
  try {
    await Promise.race([poll(), over]);
  } finally {
    settled.abort();
  }
}

/** `HF_ENDPOINT` of the environment: imports of this run ask that hub. */
function hubOfRun(): { HF_ENDPOINT?: string } {
  const endpoint = process.env["HF_ENDPOINT"];
  return endpoint === undefined ? {} : { HF_ENDPOINT: endpoint };
}
