/**
 * One thread's share of a run.
 *
 * - Every thread is called with the same program and the same run, and takes its part of each phase: rows one stretch;
 *   of products so many outputs at a time and of attention a head of keys with a stretch of rows, whoever comes first: a thread
 *   that is slower, or isn't running, has less to do.
 * - Of a single row each thread makes its own, and none waits for another: being woken takes longer than the work.
 * - What lies behind the program's end is touched by kernels alone: the memory may have grown under this thread's views.
 */
import { keptBytes, OUTPUTS, type Kernels } from "../../kernels/kernels.ts";
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

/** Parts of a product for each thread. */
const PARTS = 4;

/** Who works on what run. */
interface Post {
  readonly kernels: Kernels;
  readonly crew: Crew;
  readonly thread: number;
  readonly threads: number;
  readonly run: Run;
  /** The number of the work at hand. */
  at: number;
}

export function work({ phases }: Program, kernels: Kernels, crew: Crew, run: Run): void {
  const post: Post = { kernels, crew, thread: crew.thread, threads: crew.threads, run, at: 0 };
  let haveMet = true;
  for (const { kind, isLast, work } of phases) {
    if (isLast && !run.wantsLogits) break;
    for (const each of work) {
      share(each, isLast, post);
      post.at++;
    }
    const isByAll = (kind === "rows" && (isLast || run.rows === 1)) || (kind === "store" && run.rows === 1);
    haveMet = !isByAll;
    if (haveMet) crew.meet();
  }
  if (!haveMet) crew.meet();
}

/** Where the row `row` of a run lies. */
function at({ at, stride, isLast, isOwn }: Rows, row: number, { run, thread }: Post): number {
  if (!isLast && run.rows > 1) return at + row * stride;
  return isOwn ? at + thread * stride : at;
}

function share(work: Work, isLast: boolean, post: Post): void {
  const { rows } = post.run;
  switch (work.kind) {
    case "product":
      return isLast ? multiply(work, post, rows - 1, 1) : multiply(work, post, 0, rows);
    case "store":
      return rows === 1 ? storeOne(work, post) : store(work, post);
    case "attend":
      return rows === 1 || isLast ? attendOne(work, post) : attend(work, post);
    default: {
      if (isLast || rows === 1) return rowByRow(work, post, rows - 1, 1);
      const [from, to] = [part(rows, post, post.thread), part(rows, post, post.thread + 1)];
      if (to > from) rowByRow(work, post, from, to - from);
    }
  }
}

/** The parts that this thread comes to first. */
function forParts(count: number, { crew, at, threads }: Post, work: (part: number) => void): void {
  if (threads === 1) for (let part = 0; part < count; part++) work(part);
  else for (let part = crew.claim(at); part < count; part = crew.claim(at)) work(part);
}

/** Where the share of a thread begins, and the one before it ends. */
const part = (count: number, { threads }: Post, thread: number): number => Math.floor((count * thread) / threads);

function multiply({ from, scales, weights, bits, to, n, k }: Extract<Work, { kind: "product" }>, post: Post, first: number, rows: number): void {
  const groups = n / OUTPUTS;
  const product = (part: number, parts: number): void => {
    const [begin, end] = [OUTPUTS * Math.floor((groups * part) / parts), OUTPUTS * Math.floor((groups * (part + 1)) / parts)];
    if (end > begin) post.kernels.product(bits, weights, at(from, first, post), at(scales, first, post), at(to, first, post), rows, n, k, begin, end);
  };
  const parts = post.threads === 1 ? 1 : PARTS * post.threads;
  if (rows === 1) product(post.thread, post.threads);
  else forParts(parts, post, (part) => product(part, parts));
}

function rowByRow(work: Exclude<Work, { kind: "product" | "store" | "attend" }>, post: Post, row: number, rows: number): void {
  const { kernels, run: { ids } } = post;
  const count = rows * work.size;
  switch (work.kind) {
    case "embed":
      for (let each = row; each < row + rows; each++) {
        const [token, to] = [Math.min(Math.max(ids[each] ?? 0, 0), work.tokens - 1), at(work.to, each, post)];
        if (work.bits === 32) kernels.copy(work.table + 4 * work.size * token, to, work.size);
        else kernels.unpack(work.bits, work.table, token, to, work.size);
      }
      break;
    case "round":
      kernels.round(at(work.from, row, post), at(work.to, row, post), at(work.scales, row, post), rows, work.size);
      break;
    case "normalize":
      kernels.normalize(at(work.from, row, post), work.weights, at(work.to, row, post), rows * work.parts, work.size / work.parts, work.epsilon);
      break;
    case "add":
    case "mul":
    case "siluMul":
      kernels[work.kind](at(work.a, row, post), at(work.b, row, post), at(work.to, row, post), count);
      break;
    case "addConstant":
      for (let each = row; each < row + rows; each++) kernels.add(at(work.a, each, post), work.b, at(work.to, each, post), work.size);
      break;
    case "scale":
      kernels.scale(at(work.from, row, post), at(work.to, row, post), count, work.by);
      break;
    case "sigmoid":
    case "gelu":
      kernels[work.kind](at(work.from, row, post), at(work.to, row, post), count);
  }
}

type Storing = Extract<Work, { kind: "store" }>;
type Attending = Extract<Work, { kind: "attend" }>;

/** Where a head's keys or values begin. */
const headAt = ({ before }: Store, head: number, headSize: number, { run: { keysAt, capacity } }: Post): number => keysAt + capacity * (before + head * keptBytes(headSize));

/** This thread's: with room for a head of as many rows as it takes at a time. */
const scratchOf = ({ thread, run: { scoresAt, scoresBytes } }: Post): number => scoresAt + thread * scoresBytes;

/** Rotates the new keys and queries; keys and values go behind those of the tokens before. */
function store(work: Storing, post: Post): void {
  forHeads(work.kvHeads + work.heads, post, (head, row, rows) => {
    if (head < work.kvHeads) storeHead(work, post, head, row, rows);
    else turnHead(work, post, head - work.kvHeads, row, rows);
  });
}

/** Each head with each stretch of rows. */
function forHeads(heads: number, post: Post, work: (head: number, row: number, rows: number) => void): void {
  const { rows } = post.run;
  forParts(heads * Math.ceil(rows / ROWS_TOGETHER), post, (part) => {
    const row = ROWS_TOGETHER * Math.floor(part / heads);
    work(part % heads, row, Math.min(ROWS_TOGETHER, rows - row));
  });
}

/** What this thread attends to, with what it attends: others write the same to the same place. */
function storeOne(work: Storing, post: Post): void {
  const group = work.heads / work.kvHeads;
  let stored = -1;
  for (let head = part(work.heads, post, post.thread); head < part(work.heads, post, post.thread + 1); head++) {
    const kvHead = Math.floor(head / group);
    if (kvHead !== stored) storeHead(work, post, (stored = kvHead), 0, 1);
    turnHead(work, post, head, 0, 1);
  }
}

function storeHead({ headSize, key, value, turned, cos, sin, keys, values }: Storing, post: Post, head: number, row: number, rows: number): void {
  const { kernels, run } = post;
  const size = 4 * headSize;
  const token = run.past + row;
  const angles = 2 * headSize * token;
  const [keyAt, valueAt, before] = [at(key, row, post) + head * size, at(value, row, post) + head * size, token * keptBytes(headSize)];
  const [keyTo, valueTo, scratch] = [headAt(keys, head, headSize, post) + before, headAt(values, head, headSize, post) + before, scratchOf(post)];
  if (turned) kernels.rotate(keyAt, key.stride, cos + angles, sin + angles, scratch, size, rows, headSize / 2);
  kernels.keep(turned ? scratch : keyAt, turned ? size : key.stride, keyTo, rows, headSize);
  kernels.keep(valueAt, value.stride, valueTo, rows, headSize);
}

function turnHead({ headSize, query, turned, cos, sin }: Storing, post: Post, head: number, row: number, rows: number): void {
  if (!turned) return;
  const [size, angles] = [4 * headSize, 2 * headSize * (post.run.past + row)];
  post.kernels.rotate(at(query, row, post) + head * size, query.stride, cos + angles, sin + angles, at(turned, row, post) + head * size, turned.stride, rows, headSize / 2);
}

function attend(work: Attending, post: Post): void {
  forHeads(work.kvHeads, post, (kvHead, row, rows) => attendHead(work, post, kvHead, row, rows));
}

/** The last row, with the heads that `storeOne` gives this thread: what shares keys and values together. */
function attendOne(work: Attending, post: Post): void {
  const { kvHeads, group } = work;
  const last = part(kvHeads * group, post, post.thread + 1);
  for (let head = part(kvHeads * group, post, post.thread); head < last; ) {
    const heads = Math.min(last, (Math.floor(head / group) + 1) * group) - head;
    attendRow(work, post, head, heads, post.run.rows - 1);
    head += heads;
  }
}

/** Heads that share keys and values. */
function attendRow({ group, headSize, scale, window, query, to, keys, values }: Attending, post: Post, head: number, heads: number, row: number): void {
  const kvHead = Math.floor(head / group);
  const past = post.run.past + row;
  const first = window === null ? 0 : Math.max(0, past + 1 - window);
  const [own, before] = [4 * headSize * head, first * keptBytes(headSize)];
  post.kernels.attendHeads(at(query, row, post) + own, headAt(keys, kvHead, headSize, post) + before, headAt(values, kvHead, headSize, post) + before, scratchOf(post), at(to, row, post) + own, heads, past - first, headSize, scale);
}

/** Rows that see all keys together, those with a window one by one. */
function attendHead(work: Attending, post: Post, kvHead: number, row: number, rows: number): void {
  const { group, headSize, scale, window, query, to, keys, values } = work;
  const { kernels, run } = post;
  if (window !== null && run.past + row + rows > window) {
    for (let each = row; each < row + rows; each++) attendRow(work, post, kvHead * group, group, each);
    return;
  }
  const own = 4 * headSize * group * kvHead;
  kernels.attend(at(query, row, post) + own, query.stride, headAt(keys, kvHead, headSize, post), headAt(values, kvHead, headSize, post), scratchOf(post), at(to, row, post) + own, to.stride, group, rows, run.past + row, headSize, scale);
}
