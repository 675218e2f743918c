/**
 * How benches tell their results: a table on stdout and `bench/results/<name>.json`.
 * `value` is the median of the repeats; `ratio` compares with `peer` measured in the same run.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../../cli/root.ts";

export interface Measure {
  readonly measure: string;
  readonly value: number;
  readonly unit: string;
  readonly peer?: string;
  readonly ratio?: number;
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export function summarize(measure: string, unit: string, samples: readonly number[], against?: { peer: string; samples: readonly number[] }): Measure {
  const sorted = [...samples].sort((a, b) => a - b);
  const median = medianOf(sorted);
  const base = { measure, value: round(median), unit, min: round(sorted[0] as number), median: round(median), max: round(sorted.at(-1) as number) };
  return against ? { ...base, peer: against.peer, ratio: round(median / medianOf([...against.samples].sort((a, b) => a - b))) } : base;
}

function medianOf(sorted: readonly number[]): number {
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

const round = (value: number) => Number(value.toPrecision(4));

export async function publish(name: string, measures: readonly Measure[]): Promise<void> {
  const rows = [["measure", "median", "unit", "min – max", "ratio"], ...measures.map((m) => [m.measure, String(m.median), m.unit, `${m.min} – ${m.max}`, m.ratio === undefined ? "" : `${m.ratio} × ${m.peer}`])];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length))) ?? [];
  for (const row of rows) console.log(row.map((cell, column) => cell.padEnd(widths[column] as number)).join("  "));
  const folder = join(ROOT, "bench/results");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify(measures, null, 2)}\n`);
}
