/**
 * Starts the whole control plane on this machine: `wrangler dev` with D1, R2 and Durable Objects in miniflare,
 * all state in one folder, D1 migrations applied, development secrets made where missing.
 *
 * - Resolves when `/healthz` answers 200; rejects with wrangler's own words where it does not come to that.
 * - `stop` ends wrangler and workerd and gives the folder back. It may be called more than once.
 */
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { secretsOf, workerSecrets, writeEnvFile } from "../secrets.ts";
import { freePort, isFree } from "./ports.ts";
import { lockState } from "./state-lock.ts";
import { runWrangler, startWrangler } from "./wrangler.ts";

export interface ControlPlaneOptions {
  readonly stateDir: string;
  /** Without: 8787, or another where that is taken. */
  readonly port?: number;
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

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const stateDir = resolve(options.stateDir);
  options.signal?.throwIfAborted();
  const port = await choosePort(options.port);
  const unlock = await lockState(stateDir);
  try {
    const secrets = await secretsOf(stateDir, options.operatorKey);
    const envFile = await writeEnvFile(stateDir, workerSecrets(secrets));
    const run = { stateDir, log: options.log };
    await runWrangler({ ...run, args: ["d1", "migrations", "apply", "DB", "--local", "--persist-to", stateDir] });
    options.signal?.throwIfAborted();

    const server = startWrangler({
      ...run,
      args: [
        "dev",
        "--ip=127.0.0.1",
        `--port=${port}`,
        "--inspector-port=0",
        `--persist-to=${stateDir}`,
        `--env-file=${envFile}`,
        "--show-interactive-dev-session=false",
      ],
    });
    const stop = async () => {
      await server.stop();
      unlock();
    };
    const url = `http://localhost:${port}`;
    try {
      await untilHealthy(url, server.ended, options.signal);
    } catch (error) {
      await stop();
      throw error;
    }
    return { url, operatorKey: secrets.operatorKey, stateDir, ended: server.ended, stop };
  } catch (error) {
    unlock();
    throw error;
  }
}

async function choosePort(wanted: number | undefined): Promise<number> {
  if (wanted === undefined) return freePort(DEFAULT_PORT);
  if (!(await isFree(wanted))) throw new Error(`Port ${wanted} is in use. Choose another with --port, or leave --port out to have a free one taken.`);
  return wanted;
}

async function untilHealthy(url: string, ended: Promise<string>, signal: AbortSignal | undefined): Promise<void> {
  const over = ended.then((said) => {
    throw new Error(`wrangler dev ended before it served:\n${said}`);
  });
  const deadline = AbortSignal.timeout(READY_MS);
  const poll = async () => {
    let last = "no answer";
    while (!deadline.aborted) {
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
  await Promise.race([poll(), over]);
}
