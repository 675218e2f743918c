/**
 * What one token's way through a decoder computes, in WebAssembly SIMD on onnxruntime's own memory.
 *
 * - Why: onnxruntime-web has no kernel for weights in blocks. Expanded to 32 bits they are read at eight times the
 *   bytes, and reading them is what a token waits for.
 * - Weights stay as the model has them; activations are rounded to 16 bits under one scale for each vector, so sums
 *   come out exact but for that (3e-5 of the largest).
 * - All lengths are multiples of 4, those of products of 32; addresses of vectors are the caller's to keep apart.
 */
import { assemble, f32, f32x4, func, get, i16x8, i32, i32x4, i8x16, move, set, until, v128, type Code, type Func, type Local } from "./assembler.ts";

export interface Kernels {
  /** `k` floats at `x` to 16 bits at `to`; gives the scale. `halves`: of each 32 the even ones first. */
  readonly quantize: (x: number, to: number, k: number) => number;
  readonly quantizeHalves: (x: number, to: number, k: number) => number;
  /** `rows` outputs from rows of `blocks` blocks of 32; 4-bit weights take activations by `quantizeHalves`. */
  readonly product4: (weights: number, scales: number, zeros: number, x: number, xScale: number, y: number, rows: number, blocks: number) => void;
  readonly product8: (weights: number, scales: number, zeros: number, x: number, xScale: number, y: number, rows: number, blocks: number) => void;
  readonly add: (a: number, b: number, to: number, count: number) => void;
  readonly mul: (a: number, b: number, to: number, count: number) => void;
  readonly sigmoid: (x: number, to: number, count: number) => void;
  /** By the root of the mean square. */
  readonly normalize: (x: number, weights: number, to: number, count: number, epsilon: number) => void;
  /** One head; `half` of its size. */
  readonly rotate: (x: number, cos: number, sin: number, to: number, half: number) => void;
  /** One head, of a size in steps of 16, over `total` keys and values; `scores` has room for `total`, rounded up to 4, and 4 more. */
  readonly attend: (query: number, keys: number, values: number, scores: number, to: number, total: number, headSize: number, scale: number) => void;
}

export async function startKernels(memory: WebAssembly.Memory): Promise<Kernels> {
  const isShared = typeof SharedArrayBuffer !== "undefined" && memory.buffer instanceof SharedArrayBuffer;
  const { instance } = await WebAssembly.instantiate(assemble(FUNCTIONS, isShared), { heap: { memory } });
  return instance.exports as unknown as Kernels;
}

const bytes = (count: Local, shift: number): Code => i32.shl(get(count), i32.value(shift));
const plus = (local: Local, by: Code): Code => i32.add(get(local), by);
const horizontal = (sum: Local): Code => f32.add(f32.add(f32x4.lane(get(sum), 0), f32x4.lane(get(sum), 1)), f32.add(f32x4.lane(get(sum), 2), f32x4.lane(get(sum), 3)));
const highest = (most: Local): Code => f32.max(f32.max(f32x4.lane(get(most), 0), f32x4.lane(get(most), 1)), f32.max(f32x4.lane(get(most), 2), f32x4.lane(get(most), 3)));
const splat = (value: number): Code => f32x4.splat(f32.value(value));

const EVENS = [0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29];
const ODDS = EVENS.map((lane) => lane + 2);
const LARGEST = 32767;

const quantize = (name: string, inHalves: boolean): Func =>
  func(name, ["i32", "i32", "i32"], "f32", ([x, to, k], local) => {
    const [at, end, most, up] = [local("i32"), local("i32"), local("v128"), local("v128")];
    const parts = [local("v128"), local("v128"), local("v128"), local("v128")] as const;
    const [a, b, c, d] = parts;
    const rounded = (offset: number): Code => i32x4.ofFloats(f32x4.nearest(f32x4.mul(v128.load(get(at), offset), get(up))));
    const ordered = inHalves ? [v128.shuffle(get(a), get(b), EVENS), v128.shuffle(get(c), get(d), EVENS), v128.shuffle(get(a), get(b), ODDS), v128.shuffle(get(c), get(d), ODDS)] : parts.map(get);
    return [
      set(end, plus(x, bytes(k, 2))),
      set(at, get(x)),
      set(most, splat(1e-30)), // a vector of zeros has a scale too
      until(at, get(end), [set(most, f32x4.max(get(most), f32x4.abs(v128.load(get(at))))), move(at, i32.value(16))]),
      set(up, f32x4.splat(f32.div(f32.value(LARGEST), highest(most)))),
      set(at, get(x)),
      until(at, get(end), [
        ...parts.map((part, index) => set(part, i16x8.narrow(rounded(32 * index), rounded(32 * index + 16)))),
        ...ordered.map((part, index) => v128.store(get(to), part, 16 * index)),
        move(at, i32.value(128)),
        move(to, i32.value(64)),
      ]),
      f32.div(highest(most), f32.value(LARGEST)),
    ];
  });

/** So many outputs at a time, for what is loaded of the activations serves all. */
const TOGETHER = 4;

/** `dot`: of one block, from the address of its weights, its zero point's, and the activations' parts. */
const product = (name: string, blockBytes: number, dot: (weights: Code, zero: Code, parts: readonly Local[], scratch: readonly Local[]) => Code[]): Func =>
  func(name, ["i32", "i32", "i32", "i32", "f32", "i32", "i32", "i32"], null, ([weights, scales, zeros, x, xScale, y, rows, blocks], local) => {
    const [at, end, xEnd, rowWeights, rowBlocks] = [local("i32"), local("i32"), local("i32"), local("i32"), local("i32")];
    const parts = Array.from({ length: 4 }, () => local("v128"));
    const scratch = Array.from({ length: 3 }, () => local("v128"));
    const rowAt = Array.from({ length: TOGETHER }, () => ({ weights: local("i32"), scales: local("i32"), zeros: local("i32"), sum: local("v128") }));
    const [, , dotted] = scratch as [Local, Local, Local];
    return [
      set(end, plus(y, bytes(rows, 2))),
      set(xEnd, plus(x, bytes(blocks, 6))),
      set(rowWeights, i32.mul(get(blocks), i32.value(blockBytes))),
      set(rowBlocks, bytes(blocks, 2)),
      until(y, get(end), [
        ...rowAt.flatMap((row, index) => [
          set(row.weights, i32.add(get(weights), i32.mul(get(rowWeights), i32.value(index)))),
          set(row.scales, i32.add(get(scales), i32.mul(get(rowBlocks), i32.value(index)))),
          set(row.zeros, i32.add(get(zeros), i32.mul(get(blocks), i32.value(index)))),
          set(row.sum, splat(0)),
        ]),
        set(at, get(x)),
        until(at, get(xEnd), [
          ...parts.map((part, index) => set(part, v128.load(get(at), 16 * index))),
          ...rowAt.flatMap((row) => [
            ...dot(get(row.weights), get(row.zeros), parts, scratch),
            set(row.sum, f32x4.add(get(row.sum), f32x4.mul(f32x4.ofInts(get(dotted)), v128.load32Splat(get(row.scales))))),
            move(row.weights, i32.value(blockBytes)),
            move(row.scales, i32.value(4)),
            move(row.zeros, i32.value(1)),
          ]),
          move(at, i32.value(64)),
        ]),
        ...rowAt.map((row, index) => f32.store(get(y), f32.mul(horizontal(row.sum), get(xScale)), 4 * index)),
        move(weights, bytes(rowWeights, 2)),
        move(scales, bytes(rowBlocks, 2)),
        move(zeros, bytes(blocks, 2)),
        move(y, i32.value(4 * TOGETHER)),
      ]),
    ];
  });

const product4 = product("product4", 16, (weights, zero, [a, b, c, d], [low, high, sum]) => {
  if (!a || !b || !c || !d || !low || !high || !sum) return [];
  return [
    set(sum, v128.load(weights)),
    set(high, v128.load8Splat(zero)),
    set(low, i8x16.sub(v128.and(get(sum), i8x16.splat(i32.value(15))), get(high))),
    set(high, i8x16.sub(i8x16.shiftRight(get(sum), i32.value(4)), get(high))),
    set(sum, i32x4.add(
      i32x4.add(i32x4.dot(i16x8.ofLow(get(low)), get(a)), i32x4.dot(i16x8.ofHigh(get(low)), get(b))),
      i32x4.add(i32x4.dot(i16x8.ofLow(get(high)), get(c)), i32x4.dot(i16x8.ofHigh(get(high)), get(d))),
    )),
  ];
});

const product8 = product("product8", 32, (weights, zero, [a, b, c, d], [part, zeros, sum]) => {
  if (!a || !b || !c || !d || !part || !zeros || !sum) return [];
  const dotBoth = (low: Local, high: Local): Code =>
    i32x4.add(i32x4.dot(i16x8.sub(i16x8.ofLowUnsigned(get(part)), get(zeros)), get(low)), i32x4.dot(i16x8.sub(i16x8.ofHighUnsigned(get(part)), get(zeros)), get(high)));
  return [
    set(zeros, i16x8.ofLowUnsigned(v128.load8Splat(zero))),
    set(part, v128.load(weights)),
    set(sum, dotBoth(a, b)),
    set(part, v128.load(weights, 16)),
    set(sum, i32x4.add(get(sum), dotBoth(c, d))),
  ];
});

const pairwise = (name: string, combine: (a: Code, b: Code) => Code): Func =>
  func(name, ["i32", "i32", "i32", "i32"], null, ([a, b, to, count], local) => {
    const end = local("i32");
    return [set(end, plus(a, bytes(count, 2))), until(a, get(end), [v128.store(get(to), combine(v128.load(get(a)), v128.load(get(b)))), move(a, i32.value(16)), move(b, i32.value(16)), move(to, i32.value(16))])];
  });

/** 2 to the power of a fraction from −½ to ½: Taylor's terms, least first. */
const POWERS = [1, 1, 2, 6, 24, 120, 720].map((factorial, power) => Math.LN2 ** power / factorial);

/** e to the power of `x`, below 0 or not much above; what is less than the least float becomes almost 0. */
function exponential(x: Code, scaled: Local, whole: Local): { steps: Code[]; value: Code } {
  const fraction = f32x4.sub(get(scaled), get(whole));
  const polynomial = POWERS.reduceRight<Code>((sum, power, index) => (index === POWERS.length - 1 ? splat(power) : f32x4.add(f32x4.mul(sum, get(scaled)), splat(power))), []);
  return {
    steps: [
      set(scaled, f32x4.max(f32x4.min(f32x4.mul(x, splat(Math.LOG2E)), splat(126)), splat(-126))),
      set(whole, f32x4.nearest(get(scaled))),
      set(scaled, fraction),
    ],
    value: f32x4.mul(polynomial, i32x4.shl(i32x4.add(i32x4.ofFloats(get(whole)), i32x4.splat(i32.value(127))), i32.value(23))),
  };
}

const sigmoid = func("sigmoid", ["i32", "i32", "i32"], null, ([x, to, count], local) => {
  const [end, scaled, whole] = [local("i32"), local("v128"), local("v128")];
  const { steps, value } = exponential(f32x4.neg(v128.load(get(x))), scaled, whole);
  return [set(end, plus(x, bytes(count, 2))), until(x, get(end), [...steps, v128.store(get(to), f32x4.div(splat(1), f32x4.add(splat(1), value))), move(x, i32.value(16)), move(to, i32.value(16))])];
});

const normalize = func("normalize", ["i32", "i32", "i32", "i32", "f32"], null, ([x, weights, to, count, epsilon], local) => {
  const [at, end, sum, scale] = [local("i32"), local("i32"), local("v128"), local("v128")];
  return [
    set(end, plus(x, bytes(count, 2))),
    set(at, get(x)),
    set(sum, splat(0)),
    until(at, get(end), [set(sum, f32x4.add(get(sum), f32x4.mul(v128.load(get(at)), v128.load(get(at))))), move(at, i32.value(16))]),
    set(scale, f32x4.splat(f32.div(f32.value(1), f32.sqrt(f32.add(f32.div(horizontal(sum), f32.ofInt(get(count))), get(epsilon)))))),
    until(x, get(end), [v128.store(get(to), f32x4.mul(f32x4.mul(v128.load(get(x)), get(scale)), v128.load(get(weights)))), move(x, i32.value(16)), move(weights, i32.value(16)), move(to, i32.value(16))]),
  ];
});

const rotate = func("rotate", ["i32", "i32", "i32", "i32", "i32"], null, ([x, cos, sin, to, half], local) => {
  const [end, step, first, second] = [local("i32"), local("i32"), local("v128"), local("v128")];
  return [
    set(step, bytes(half, 2)),
    set(end, plus(x, get(step))),
    until(x, get(end), [
      set(first, v128.load(get(x))),
      set(second, v128.load(plus(x, get(step)))),
      v128.store(get(to), f32x4.sub(f32x4.mul(get(first), v128.load(get(cos))), f32x4.mul(get(second), v128.load(get(sin))))),
      v128.store(plus(to, get(step)), f32x4.add(f32x4.mul(get(second), v128.load(get(cos))), f32x4.mul(get(first), v128.load(get(sin))))),
      ...[x, cos, sin, to].map((each) => move(each, i32.value(16))),
    ]),
  ];
});

/** Scores that are none: what stands after the last, so that four may be taken at a time. */
const NEVER = -1e30;

const attend = func("attend", ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "f32"], null, ([query, keys, values, scores, to, total, headSize, scale], local) => {
  const [at, end, key, part, partEnd, rowBytes] = [local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("i32")];
  const [sum, other, most, all, scaled, whole] = [local("v128"), local("v128"), local("v128"), local("v128"), local("v128"), local("v128")];
  const mixed = Array.from({ length: 4 }, () => local("v128"));
  const { steps, value } = exponential(f32x4.sub(v128.load(get(at)), get(most)), scaled, whole);
  return [
    set(rowBytes, bytes(headSize, 2)),
    set(end, plus(scores, bytes(total, 2))),
    set(most, splat(NEVER)),
    // Scores.
    set(at, get(scores)),
    set(key, get(keys)),
    until(at, get(end), [
      set(sum, splat(0)),
      set(other, splat(0)),
      set(part, get(query)),
      set(partEnd, plus(query, get(rowBytes))),
      until(part, get(partEnd), [
        ...[sum, other, sum, other].map((half, index) => set(half, f32x4.add(get(half), f32x4.mul(v128.load(get(part), 16 * index), v128.load(get(key), 16 * index))))),
        move(part, i32.value(64)),
        move(key, i32.value(64)),
      ]),
      set(sum, f32x4.add(get(sum), get(other))),
      set(sum, f32x4.splat(f32.mul(horizontal(sum), get(scale)))),
      set(most, f32x4.max(get(most), get(sum))),
      f32.store(get(at), f32x4.lane(get(sum), 0)),
      move(at, i32.value(4)),
    ]),
    v128.store(get(end), splat(NEVER)),
    // Their weights.
    set(at, get(scores)),
    set(all, splat(0)),
    until(at, get(end), [...steps, set(sum, value), v128.store(get(at), get(sum)), set(all, f32x4.add(get(all), get(sum))), move(at, i32.value(16))]),
    set(all, f32x4.splat(f32.div(f32.value(1), horizontal(all)))),
    // Values, 16 numbers of the head at a time.
    set(partEnd, plus(to, get(rowBytes))),
    until(to, get(partEnd), [
      ...mixed.map((each) => set(each, splat(0))),
      set(at, get(scores)),
      set(key, get(values)),
      until(at, get(end), [
        set(sum, v128.load32Splat(get(at))),
        ...mixed.map((each, index) => set(each, f32x4.add(get(each), f32x4.mul(get(sum), v128.load(get(key), 16 * index))))),
        move(at, i32.value(4)),
        set(key, plus(key, get(rowBytes))),
      ]),
      ...mixed.map((each, index) => v128.store(get(to), f32x4.mul(get(each), get(all)), 16 * index)),
      move(values, i32.value(64)),
      move(to, i32.value(64)),
    ]),
  ];
});

const FUNCTIONS: readonly Func[] = [quantize("quantize", false), quantize("quantizeHalves", true), product4, product8, pairwise("add", f32x4.add), pairwise("mul", f32x4.mul), sigmoid, normalize, rotate, attend];
