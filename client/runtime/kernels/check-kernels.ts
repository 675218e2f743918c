/**
 * Known answers: each kernel, on this device, beside the same sums in plain JavaScript. A few milliseconds.
 *
 * - Takes a memory of its own, of one page at least, and the kernels started on it. What it holds is written over.
 * - Gives the name of the first that is wrong; `null` where none is.
 */
import { BLOCK, keptBytes, packedBytes, roundedBytes, scoresBytes, type Bits, type Kernels } from "./kernels.ts";
import { LANES, SCORES } from "./score-walks.ts";

const [OUTPUTS_CHECKED, INPUTS, ROWS] = [104, BLOCK, 3];
const [QUERIES, PAST, HEAD, SCALE] = [9, 3, 16, 0.25];
const GROUPS = [4, 3, 2, 1];
/** Of the largest; activations are rounded to 3e-5 of it. */
const TOLERANCE = 2e-4;

interface Values {
  readonly at: number;
  readonly all: Float32Array;
}

class Bench {
  readonly #memory: WebAssembly.Memory;
  #free = 0;
  #count = 0;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  /** What a kernel doesn't write is no number. */
  clear(): void {
    new Uint8Array(this.#memory.buffer).fill(255);
    this.#free = 64;
  }

  room(bytes: number): number {
    const at = this.#free;
    this.#free += Math.ceil(bytes / 16) * 16;
    return at;
  }

  /** Numbers from −`size` to `size`, without any order. */
  floats(count: number, size = 2): Values {
    const at = this.room(4 * count);
    const all = new Float32Array(this.#memory.buffer, at, count);
    for (let index = 0; index < count; index++) all[index] = size * Math.sin(12.9898 * ++this.#count);
    return { at, all };
  }

  bytes(count: number, below: number): { at: number; all: Uint8Array } {
    const at = this.room(count);
    const all = new Uint8Array(this.#memory.buffer, at, count);
    for (let index = 0; index < count; index++) all[index] = Math.floor(Math.abs(Math.sin(78.233 * ++this.#count)) * below);
    return { at, all };
  }
}

type Check = (kernels: Kernels, bench: Bench) => boolean;

const CHECKS: readonly (readonly [name: string, check: Check])[] = [
  ["product of 4 bits", (kernels, bench) => checkProduct(4, kernels, bench)],
  ["product of 8 bits", (kernels, bench) => checkProduct(8, kernels, bench)],
  ["add", (kernels, bench) => checkPairs(kernels.add, (a, b) => a + b, bench)],
  ["mul", (kernels, bench) => checkPairs(kernels.mul, (a, b) => a * b, bench)],
  ["siluMul", (kernels, bench) => checkPairs(kernels.siluMul, (a, b) => a * sigmoid(a) * b, bench)],
  ["sigmoid", (kernels, bench) => checkPairs((a, _b, to, count) => kernels.sigmoid(a, to, count), sigmoid, bench)],
  ["gelu", (kernels, bench) => checkPairs((a, _b, to, count) => kernels.gelu(a, to, count), gelu, bench)],
  ["scale", (kernels, bench) => checkPairs((a, _b, to, count) => kernels.scale(a, to, count, -1.5), (value) => -1.5 * value, bench)],
  ["normalize", checkNormalize],
  ["rotate", checkRotate],
  ["copy", checkCopy],
  ["keep", checkKeep],
  ["attend", checkAttend],
  ["attendHeads", checkAttendHeads],
  ["likeliest", checkLikeliest],
  ["survey", checkSurvey],
  ["weigh", checkWeigh],
  ["above", checkAbove],
];

export function checkKernels(kernels: Kernels, memory: WebAssembly.Memory): string | null {
  const bench = new Bench(memory);
  for (const [name, check] of CHECKS) {
    bench.clear();
    if (!check(kernels, bench)) return name;
  }
  return null;
}

function agree(actual: Float32Array, expected: readonly number[]): boolean {
  const largest = Math.max(...expected.map(Math.abs));
  return actual.length === expected.length && expected.every((value, at) => Math.abs(value - (actual[at] ?? NaN)) <= TOLERANCE * largest);
}

const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));
const gelu = (value: number): number => (value * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (value + 0.044715 * value ** 3)))) / 2;
const numbers = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index));
const of = (values: ArrayLike<number>, at: number): number => values[at] ?? NaN;

/** Packed; as outputs of two rows and one, from eight places and a rest; and one output unpacked. */
function checkProduct(bits: Bits, kernels: Kernels, bench: Bench): boolean {
  const [n, k, blocks] = [OUTPUTS_CHECKED, INPUTS, INPUTS / BLOCK];
  const [weights, zeros, scales, x] = [bench.bytes((n * k * bits) / 8, 256), bench.bytes(n * blocks, 2 ** bits), bench.floats(n * blocks, 0.1), bench.floats(ROWS * k)];
  const [packed, rounded, xScales, y, row] = [bench.room(packedBytes(bits, n, k)), bench.room(ROWS * roundedBytes(k)), bench.room(4 * ROWS), bench.floats(ROWS * n), bench.floats(k)];
  kernels.pack(bits, weights.at, scales.at, zeros.at, packed, n, k);
  kernels.round(x.at, rounded, xScales, ROWS, k);
  kernels.product(bits, packed, rounded, xScales, y.at, ROWS, n, k, 0, n);
  kernels.unpack(bits, packed, n - 1, row.at, k);
  const full = Float64Array.from({ length: n * k }, (_, at) => {
    const stored = bits === 8 ? of(weights.all, at) : (of(weights.all, at >> 1) >> (4 * (at % 2))) & 15;
    return (stored - of(zeros.all, Math.floor(at / BLOCK))) * of(scales.all, Math.floor(at / BLOCK));
  });
  const sums = numbers(ROWS * n, (at) => {
    const [from, first] = [Math.floor(at / n) * k, (at % n) * k];
    let sum = 0;
    for (let column = 0; column < k; column++) sum += of(x.all, from + column) * of(full, first + column);
    return sum;
  });
  return agree(y.all, sums) && agree(row.all, [...full.subarray(-k)]);
}

function checkPairs(kernel: Kernels["add"], expected: (a: number, b: number) => number, bench: Bench): boolean {
  const [a, b, to] = [bench.floats(20, 9), bench.floats(20), bench.floats(20)];
  kernel(a.at, b.at, to.at, 20);
  return agree(to.all, numbers(20, (at) => expected(of(a.all, at), of(b.all, at))));
}

function checkNormalize(kernels: Kernels, bench: Bench): boolean {
  const [size, epsilon] = [12, 0.01];
  const [x, weights, to] = [bench.floats(2 * size), bench.floats(size), bench.floats(2 * size)];
  kernels.normalize(x.at, weights.at, to.at, 2, size, epsilon);
  const roots = numbers(2, (row) => Math.sqrt(x.all.subarray(row * size, (row + 1) * size).reduce((sum, value) => sum + value * value, 0) / size + epsilon));
  return agree(to.all, numbers(2 * size, (at) => (of(x.all, at) / of(roots, Math.floor(at / size))) * of(weights.all, at % size)));
}

function checkRotate(kernels: Kernels, bench: Bench): boolean {
  const [half, stride] = [8, 20];
  const [x, cos, sin, to] = [bench.floats(2 * stride), bench.floats(2 * half), bench.floats(2 * half), bench.floats(4 * half)];
  kernels.rotate(x.at, 4 * stride, cos.at, sin.at, to.at, 8 * half, 2, half);
  const turned = (at: number): number => {
    const [row, number] = [Math.floor(at / (2 * half)), at % (2 * half)];
    const [own, other] = [of(x.all, row * stride + number), of(x.all, row * stride + ((number + half) % (2 * half)))];
    const angle = row * half + (number % half);
    return own * of(cos.all, angle) + (number < half ? -1 : 1) * other * of(sin.all, angle);
  };
  return agree(to.all, numbers(4 * half, turned));
}

function checkCopy(kernels: Kernels, bench: Bench): boolean {
  const [x, to] = [bench.floats(20), bench.floats(20)];
  kernels.copy(x.at, to.at, 20);
  return agree(to.all, [...x.all]);
}

/** Rows that lie apart. */
function checkKeep(kernels: Kernels, bench: Bench): boolean {
  const [x, to] = [bench.floats(2 * (HEAD + 4)), bench.bytes(2 * keptBytes(HEAD), 256)];
  kernels.keep(x.at, 4 * (HEAD + 4), to.at, 2, HEAD);
  return numbers(2, (row) => {
    const at = to.at + row * keptBytes(HEAD);
    const [scale] = new Float32Array(to.all.buffer, at + 2 * HEAD, 1);
    const own = x.all.subarray(row * (HEAD + 4), row * (HEAD + 4) + HEAD);
    return agree(Float32Array.from(new Int16Array(to.all.buffer, at, HEAD), (number) => number * (scale ?? NaN)), [...own]);
  }).every((isRight) => isRight);
}

/** Where so many rows are kept. */
function kept(kernels: Kernels, bench: Bench, { at, all }: Values): number {
  const [rows, to] = [all.length / HEAD, bench.room((all.length / HEAD) * keptBytes(HEAD))];
  kernels.keep(at, 4 * HEAD, to, rows, HEAD);
  return to;
}

function checkAttend(kernels: Kernels, bench: Bench): boolean {
  const [total, heads] = [PAST + QUERIES, 2];
  const [query, keys, values, to] = [bench.floats(QUERIES * heads * HEAD), bench.floats(total * HEAD), bench.floats(total * HEAD), bench.floats(QUERIES * heads * HEAD)];
  const stride = 4 * heads * HEAD;
  kernels.attend(query.at, stride, kept(kernels, bench, keys), kept(kernels, bench, values), bench.room(scoresBytes(total, HEAD)), to.at, stride, heads, QUERIES, PAST, HEAD, SCALE);
  return agree(to.all, numbers(QUERIES * heads, (at) => mixed(query.all.subarray(at * HEAD), keys.all, values.all, PAST + Math.floor(at / heads) + 1)).flat());
}

/** As many heads together as there can be, and one less, and so on. */
function checkAttendHeads(kernels: Kernels, bench: Bench): boolean {
  return GROUPS.every((heads) => {
    const [query, keys, values, to] = [bench.floats(heads * HEAD), bench.floats(QUERIES * HEAD), bench.floats(QUERIES * HEAD), bench.floats(heads * HEAD)];
    kernels.attendHeads(query.at, kept(kernels, bench, keys), kept(kernels, bench, values), bench.room(scoresBytes(QUERIES, HEAD)), to.at, heads, QUERIES - 1, HEAD, SCALE);
    return agree(to.all, numbers(heads, (head) => mixed(query.all.subarray(head * HEAD), keys.all, values.all, QUERIES)).flat());
  });
}

/** What comes out of the values, for the query at the beginning and so many keys. */
function mixed(query: Float32Array, keys: Float32Array, values: Float32Array, total: number): number[] {
  const weights = numbers(total, (key) => Math.exp(SCALE * numbers(HEAD, (at) => of(query, at) * of(keys, key * HEAD + at)).reduce((sum, part) => sum + part, 0)));
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  return numbers(HEAD, (at) => weights.reduce((sum, weight, key) => sum + weight * of(values, key * HEAD + at), 0) / all);
}

function checkLikeliest(kernels: Kernels, bench: Bench): boolean {
  const { at, all } = bench.floats(29);
  all.set([5], 19);
  all.set([5], 27);
  if (kernels.likeliest(at, 29) !== 19) return false;
  return [2, 28].every((place) => {
    const before = all.slice(place, place + 1);
    all.set([NaN], place);
    const found = kernels.likeliest(at, 29);
    all.set(before, place);
    return found === -1;
  });
}

/** A whole block and a short one. */
const SCORED = SCORES + 8;

/** Of each block and lane. */
function inLanes(all: Float32Array, gather: (own: readonly number[]) => number): number[] {
  const isOf = (at: number, lane: number): boolean => Math.floor(at / SCORES) === Math.floor(lane / LANES) && at % LANES === lane % LANES;
  return numbers(2 * LANES, (lane) => gather([...all].filter((_, at) => isOf(at, lane))));
}

function checkSurvey(kernels: Kernels, bench: Bench): boolean {
  const [x, table] = [bench.floats(SCORED, 9), bench.floats(2 * LANES)];
  const isSound = kernels.survey(x.at, table.at, SCORED) === 0 && agree(table.all, inLanes(x.all, (own) => Math.max(...own)));
  x.all.set([NaN], SCORES + 2);
  return isSound && kernels.survey(x.at, table.at, SCORED) !== 0;
}

function checkWeigh(kernels: Kernels, bench: Bench): boolean {
  const [x, table] = [bench.floats(SCORED, 9), bench.floats(2 * LANES)];
  const weigh = (own: Iterable<number>): number => [...own].reduce((sum, score) => sum + 2 ** (0.5 * (score - 9)), 0);
  return agree(Float32Array.of(kernels.weigh(x.at, table.at, SCORED, 9, 0.5)), [weigh(x.all)]) && agree(table.all, inLanes(x.all, weigh));
}

function checkAbove(kernels: Kernels, bench: Bench): boolean {
  const [x, table, to] = [bench.floats(SCORED, 9), bench.floats(2 * LANES), bench.floats(SCORED + LANES)];
  table.all.set(inLanes(x.all, (own) => Math.max(...own)));
  const expected = [...x.all.keys()].filter((at) => of(x.all, at) >= 4);
  return kernels.above(x.at, table.at, to.at, SCORED, 4) === expected.length && expected.every((at, index) => new Uint32Array(to.all.buffer, to.at)[index] === at);
}
