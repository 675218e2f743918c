/**
 * One run per folder: two workerd on one set of SQLite files would corrupt them, two builds would mix their files.
 *
 * - The holder listens on a loopback port that the lock file names, and answers with the file's token. A lock whose
 *   holder does not answer so is stale (a killed run, a restarted machine); process ids alone come again.
 */
import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";

interface Holder {
  readonly pid: number;
  readonly port: number;
  readonly token: string;
}

/** Takes the folder; the returned function gives it back. Throws where a living run holds it. */
export async function lockState(stateDir: string): Promise<() => void> {
  const lock = await tryLock(stateDir);
  if (typeof lock === "number") throw new Error(`${stateDir} is in use by another run (process ${lock}). Stop it, or give this one a folder of its own with --state DIR.`);
  return lock;
}

/** The same, or the process that holds it. */
export async function tryLock(folder: string): Promise<(() => void) | number> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "running.lock");
  const token = randomUUID();
  const server = createServer((socket) => socket.on("error", () => socket.destroy()).end(token));
  const mine = `${path}.${token}`;
  writeFileSync(mine, JSON.stringify({ pid: process.pid, port: await listen(server), token } satisfies Holder));
  try {
    while (!tryLink(mine, path)) {
      const holder = readHolder(path);
      if (!holder) continue; // given back in this moment
      if (await isAlive(holder)) {
        server.close();
        return holder.pid;
      }
      if (readHolder(path)?.token === holder.token) rmSync(path, { force: true }); // unless somebody else was first
    }
  } catch (error) {
    server.close();
    throw error;
  } finally {
    rmSync(mine, { force: true });
  }
  return () => {
    if (!server.listening) return;
    server.close();
    rmSync(path, { force: true });
  };
}

function readHolder(path: string): Holder | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Holder;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** A hard link is atomic, and fails where the lock stands. */
function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      server.unref();
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : 0);
    });
  });
}

function isAlive({ port, token }: Holder): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    socket.setEncoding("utf8").setTimeout(2_000, () => socket.destroy());
    socket.on("data", (text) => (answer += text));
    socket.on("error", () => resolve(false)); // refused: nobody is there
    socket.on("close", () => resolve(answer === token));
  });
}
