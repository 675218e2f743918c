/** `npm run dev` as another program runs it: a process, its output, its end. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { ROOT } from "../../cli/root.ts";

export interface DevProcess {
  readonly child: ChildProcess;
  /** All that came on stdout so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** The one line that it prints when it serves. Rejects where it ends before. */
  readonly ready: Promise<{ readonly url: string; readonly operator_key: string }>;
  readonly ended: Promise<number | null>;
}

/** Without npm, whose own banner would stand on stdout. */
export function startDev(...args: string[]): DevProcess {
  const child = spawn(process.execPath, ["cli/dev.ts", ...args], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const ready = new Promise<{ url: string; operator_key: string }>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      if (stdout.includes("\n")) resolve(JSON.parse(stdout.split("\n")[0] ?? "") as { url: string; operator_key: string });
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    void ended.then((code) => reject(new Error(`dev ended with ${code} before it served:\n${stderr}`)));
  });
  ready.catch(() => undefined); // a test that expects an early end looks at `ended`
  return { child, stdout: () => stdout, stderr: () => stderr, ready, ended };
}

/** All processes under `pid`: children, and theirs. */
export function descendantsOf(pid: number): number[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  const pairs = table.trim().split("\n").map((line) => line.trim().split(/\s+/).map(Number));
  const below = (parent: number): number[] => pairs.filter(([, ppid]) => ppid === parent).flatMap(([child = 0]) => [child, ...below(child)]);
  return below(pid);
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // no such process, which is what was asked
  }
}
