/**
 * Runs the installed wrangler, offline and without a trace outside of the state folder.
 *
 * - A server is the head of a process group of its own: `stop` ends it with all that it started (workerd), and a
 *   Ctrl-C in the terminal reaches us first. Where we are killed, the server sees its channel close and ends itself.
 * - Output goes to `log` and the last lines are kept, to say why it ended.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "../root.ts";
import { SECRET_NAMES } from "../secrets.ts";

export interface WranglerRun {
  readonly args: readonly string[];
  readonly stateDir: string;
  readonly log: (text: string) => void;
}

export interface WranglerServer {
  /** Resolves with what it said last when it has ended, for whatever reason. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

const STOP_MS = 5_000;
const KEPT_LINES = 25;

/** Runs a command to its end; rejects with its output where it fails. */
export async function runWrangler(run: WranglerRun): Promise<void> {
  const child = start(run, false);
  const tail = tailOf(child, run.log);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`wrangler ${run.args.slice(0, 3).join(" ")} failed:\n${tail()}`);
}

export function startWrangler(run: WranglerRun): WranglerServer {
  const child = start(run, true);
  const tail = tailOf(child, run.log);
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", () => {
      killGroup(child);
      resolve(tail());
    });
  });
  return {
    ended,
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => killGroup(child), STOP_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

function start({ args, stateDir }: WranglerRun, isServer: boolean): ChildProcess {
  const wrangler = join(createRequire(import.meta.url).resolve("wrangler/package.json"), "../wrangler-dist/cli.js");
  const preload = isServer ? ["--import", fileURLToPath(new URL("end-with-parent.ts", import.meta.url))] : [];
  return spawn(process.execPath, ["--no-warnings", ...preload, wrangler, ...args], {
    cwd: ROOT,
    detached: isServer,
    stdio: isServer ? ["ignore", "pipe", "pipe", "ipc"] : ["ignore", "pipe", "pipe"],
    env: {
      ...withoutSecrets(process.env),
      WRANGLER_SEND_METRICS: "false",
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
      WRANGLER_LOG_PATH: join(stateDir, "logs"),
      WRANGLER_REGISTRY_PATH: join(stateDir, "registry"),
      WRANGLER_HIDE_BANNER: "true",
      NO_COLOR: "1",
      FORCE_COLOR: "0",
    },
  });
}

/** Wrangler would take secrets from the environment too: a run has those of its state folder. */
function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !SECRET_NAMES.includes(name)));
}

function tailOf(child: ChildProcess, log: (text: string) => void): () => string {
  let kept = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      log(text);
      kept = (kept + text).split("\n").slice(-KEPT_LINES).join("\n");
    });
  }
  return () => kept.trim();
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // nothing of it is left: as wished
  }
}
