/**
 * One thread's share of a run.
 *
 * - Every thread is called with the same program and the same run, and takes its part of each phase: rows one stretch,
 *   products a range of outputs, keys and attention every so many heads and stretches of rows.
 * - What lies behind the program's end is touched by kernels alone: the memory may have grown under this thread's views.
 */
import { OUTPUTS, type Kernels } from "../../kernels/kernels.ts";
import type { Crew } from "./crew.ts";
import type { Program, Rows, Store, Work } from "./program.ts";

export interface Run {
  /** How many tokens, and how many came before. */
  readonly rows: number;
  readonly past: number;
  /** Tokens that there is room for. */
  readonly capacity: number;
  readonly keysAt: number;
  /** Scratch of thread 0; the others' follow. */
  readonly scoresAt: number;
  readonly scoresBytes: number;
  readonly wantsLogits: boolean;
  readonly ids: Int32Array;
}

/** Rows that one thread attends with at a time. */
const ROWS_TOGETHER = 16;

export function work({ phases }: Program, kernels: Kernels, crew: Crew, run: Run): void {
  for (const phase of phases) {
    if (phase.isLast && !run.wantsLogits) break;
    for (const each of phase.work) share(each, phase.isLast, kernels, crew, run);
    crew.meet();
  }
}

/** Where the row `row` of a run lies. */
const at = ({ at, stride, isLast }: Rows, row: number): number => (isLast ? at : at + row * stride);

function share(work: Work, isLast: boolean, kernels: Kernels, crew: Crew, run: Run): void {
  const [first, end] = isLast ? [run.rows - 1, run.rows] : [0, run.rows];
  switch (work.kind) {
    case "product":
      return multiply(work, kernels, crew, first, end);
    case "store":
      return store(work, kernels, crew, run);
    case "attend":
      return attend(work, kernels, crew, run, first);
    default: {
      const [from, to] = [first + part(end - first, crew, crew.thread), first + part(end - first, crew, crew.thread + 1)];
      if (to > from) rowByRow(work, kernels, run, from, to - from);
    }
  }
}

const part = (count: number, { threads }: Crew, thread: number): number => Math.floor((count * thread) / threads);

function multiply({ from, scales, weights, bits, to, n, k }: Extract<Work, { kind: "product" }>, kernels: Kernels, crew: Crew, first: number, end: number): void {
  const groups = n / OUTPUTS;
  const [begin, stop] = [OUTPUTS * part(groups, crew, crew.thread), OUTPUTS * part(groups, crew, crew.thread + 1)];
  if (stop > begin) kernels.product(bits, weights, at(from, first), at(scales, first), at(to, first), end - first, n, k, begin, stop);
}

function rowByRow(work: Exclude<Work, { kind: "product" | "store" | "attend" }>, kernels: Kernels, { ids }: Run, row: number, rows: number): void {
  const count = "size" in work ? rows * work.size : 0;
  switch (work.kind) {
    case "embed":
      for (let each = row; each < row + rows; each++) kernels.unpack(8, work.table, Math.min(Math.max(ids[each] ?? 0, 0), work.tokens - 1), at(work.to, each), work.size);
      break;
    case "round":
      kernels.round(at(work.from, row), at(work.to, row), at(work.scales, row), rows, work.size);
      break;
    case "normalize":
      kernels.normalize(at(work.from, row), work.weights, at(work.to, row), rows, work.size, work.epsilon);
      break;
    case "add":
    case "mul":
    case "siluMul":
      kernels[work.kind](at(work.a, row), at(work.b, row), at(work.to, row), count);
      break;
    case "addConstant":
      for (let each = row; each < row + rows; each++) kernels.add(at(work.a, each), work.b, at(work.to, each), work.size);
      break;
    case "sigmoid":
      kernels.sigmoid(at(work.from, row), at(work.to, row), count);
  }
}

const tokenStart = ({ before }: Store, { keysAt, capacity }: Run, head: number, headSize: number): number => keysAt + capacity * (before + 4 * head * headSize);

/** Rotates the new keys and queries; keys and values go behind those of the tokens before. */
function store({ heads, kvHeads, headSize, query, key, value, turned, cos, sin, keys, values }: Extract<Work, { kind: "store" }>, kernels: Kernels, { thread, threads }: Crew, run: Run): void {
  const [size, half] = [4 * headSize, headSize / 2];
  let turn = 0;
  for (let row = 0; row < run.rows; row += ROWS_TOGETHER) {
    const rows = Math.min(ROWS_TOGETHER, run.rows - row);
    const token = run.past + row;
    const angles = 4 * half * token;
    for (let head = 0; head < kvHeads; head++) {
      if (turn++ % threads !== thread) continue;
      const [keyAt, valueAt] = [at(key, row) + head * size, at(value, row) + head * size];
      const [keyTo, valueTo] = [tokenStart(keys, run, head, headSize) + token * size, tokenStart(values, run, head, headSize) + token * size];
      if (turned) kernels.rotate(keyAt, key.stride, cos + angles, sin + angles, keyTo, size, rows, half);
      else kernels.copy(keyAt, key.stride, keyTo, size, rows, headSize);
      kernels.copy(valueAt, value.stride, valueTo, size, rows, headSize);
    }
    if (!turned) continue;
    for (let head = 0; head < heads; head++) {
      if (turn++ % threads === thread) kernels.rotate(at(query, row) + head * size, query.stride, cos + angles, sin + angles, at(turned, row) + head * size, turned.stride, rows, half);
    }
  }
}

function attend({ kvHeads, group, headSize, scale, query, to, keys, values }: Extract<Work, { kind: "attend" }>, kernels: Kernels, { thread, threads }: Crew, run: Run, first: number): void {
  const size = 4 * headSize;
  const scores = run.scoresAt + thread * run.scoresBytes;
  let turn = 0;
  for (let row = first; row < run.rows; row += ROWS_TOGETHER) {
    const rows = Math.min(ROWS_TOGETHER, run.rows - row);
    for (let head = 0; head < kvHeads * group; head++) {
      if (turn++ % threads !== thread) continue;
      const kvHead = Math.floor(head / group);
      kernels.attend(at(query, row) + head * size, query.stride, tokenStart(keys, run, kvHead, headSize), tokenStart(values, run, kvHead, headSize), scores, at(to, row) + head * size, to.stride, rows, run.past + row, headSize, scale);
    }
  }
}
