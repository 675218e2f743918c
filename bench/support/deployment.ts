/** A control plane of its own for a bench: bundled, on workerd without a proxy, with one tenant that has one small model. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { bundleWorker } from "../../cli/control-plane/bundle.ts";
import type { BareOptions } from "../../cli/control-plane/bare-workerd.ts";
import { type Secrets, makeSecrets, workerSecrets } from "../../cli/secrets.ts";
import { ROOT } from "../../cli/root.ts";

export interface Deployment {
  readonly url: string;
  /** Of the floor's Worker, where there is one. */
  readonly floorUrl: string | null;
  readonly operatorKey: string;
  /** Starts it again on the same state. */
  restart(): Promise<Deployment>;
  /** A power cut: SIGKILL to the whole process group. */
  kill(): Promise<void>;
  /** Ends it and removes its state. */
  remove(): Promise<void>;
}

const READY_MS = 60_000;

export async function deploy({ floor, variables = {} }: { floor?: string; variables?: Readonly<Record<string, string>> } = {}): Promise<Deployment> {
  const home = await mkdtemp(join(tmpdir(), "leasehold-bare-"));
  const script = join(home, "worker.js");
  await writeFile(script, await bundleWorker("wrangler.toml"));
  const floorScript = floor === undefined ? undefined : join(home, "floor.js");
  if (floor !== undefined && floorScript !== undefined) await writeFile(floorScript, await bundleWorker(floor));
  const secrets = makeSecrets();
  return start(home, secrets, { script, floorScript, stateDir: join(home, "state"), variables, secrets: workerSecrets(secrets) });
}

async function start(home: string, secrets: Secrets, options: BareOptions): Promise<Deployment> {
  const child = spawn(process.execPath, [join(ROOT, "cli/control-plane/bare-workerd.ts"), JSON.stringify(options)], { detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const { url, floorUrl } = await ready(child);
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const ended = once(child, "exit");
    process.kill(-child.pid, "SIGKILL");
    await ended;
  };
  return {
    url,
    floorUrl,
    operatorKey: secrets.operatorKey,
    kill,
    restart: async () => {
      await kill();
      return start(home, secrets, options);
    },
    remove: async () => {
      await kill();
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function ready(child: ChildProcess): Promise<Pick<Deployment, "url" | "floorUrl">> {
  let words = "";
  child.stderr?.on("data", (data: Buffer) => {
    words = (words + data.toString()).slice(-4000);
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const timer = setTimeout(() => child.kill("SIGKILL"), READY_MS);
  try {
    for await (const line of lines) {
      if (line.startsWith('{"url"')) return JSON.parse(line) as Pick<Deployment, "url" | "floorUrl">;
    }
    throw new Error(`the control plane did not start:\n${words}`);
  } finally {
    clearTimeout(timer);
    child.stdout?.resume();
  }
}
