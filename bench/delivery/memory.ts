/**
 * How much memory a Chromium takes at its peak: all its processes, found by the profile that they were started with.
 *
 * - Memory of its own and shared memory (`RssAnon` + `RssShmem`), not the program's file; sampled. Linux only: elsewhere
 *   it is NaN.
 */
import { readdirSync, readFileSync } from "node:fs";

const EVERY_MS = 50;

export interface Peak {
  /** All processes together. */
  readonly wholeBytes: number;
  /** Those that run pages and workers. */
  readonly renderersBytes: number;
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

export function watchMemory(profile: string): () => Peak {
  let peak: Peak = { wholeBytes: Number.NaN, renderersBytes: Number.NaN };
  if (process.platform !== "linux") return () => peak;
  const sample = () => {
    const taken = browserOf(profile).map(({ pid, command }) => ({ bytes: memoryOf(pid), isRenderer: command.includes("--type=renderer") }));
    const sum = (some: typeof taken) => some.reduce((total, { bytes }) => total + bytes, 0);
    peak = { wholeBytes: larger(peak.wholeBytes, sum(taken)), renderersBytes: larger(peak.renderersBytes, sum(taken.filter(({ isRenderer }) => isRenderer))) };
  };
  const timer = setInterval(sample, EVERY_MS);
  return () => {
    sample();
    clearInterval(timer);
    return peak;
  };
}

const larger = (a: number, b: number): number => (a > b ? a : b);

/** The process that has the profile, and all that come from it. */
function browserOf(profile: string): Process[] {
  const all = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? describe(Number(name)) : []));
  const family = new Set(all.filter(({ command }) => command.includes(`--user-data-dir=${profile}\0`)).map(({ pid }) => pid));
  for (let before = -1; before !== family.size; ) {
    before = family.size;
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid);
  }
  return all.filter(({ pid }) => family.has(pid));
}

/** Nothing where the process has ended meanwhile. */
function describe(pid: number): Process[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return [{ pid, parent: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]), command: `${readFileSync(`/proc/${pid}/cmdline`, "utf8")}\0` }];
  } catch {
    return [];
  }
}

function memoryOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return ["RssAnon", "RssShmem"].reduce((sum, field) => sum + 1024 * Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0), 0);
  } catch {
    return 0;
  }
}
