/** Each kernel of each build beside the same sum in plain JavaScript. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { BLOCK, compileKernels, keptBytes, packedBytes, roundedBytes, scoresBytes, startKernels, type Kernels } from "../../../../client/runtime/kernels/kernels.ts";
import { checkKernels } from "../../../../client/runtime/kernels/check-kernels.ts";
import { hasDots } from "../../../../client/runtime/kernels/pieces.ts";
import { availableSimd } from "../../../../client/runtime/kernels/simd.ts";
import { seededRandom } from "../../../../client/runtime/sampling/random.ts";

const LARGEST = 32639;
const available = availableSimd();

/** Builds for other devices too: of their dot product's second operand they get what every device takes alike. */
describe.each(available === "plain" ? (["plain"] as const) : (["plain", "fused", "unsigned", "signed"] as const))("built with %s SIMD", (simd) => {
  const isForeign = hasDots(simd) && simd !== available;
  const [least, below] = !isForeign ? [0, 256] : simd === "signed" ? [128, 256] : [0, 128];
  const random = seededRandom(7, 0);
  const memory = new WebAssembly.Memory({ initial: 256, maximum: 65536, shared: true });
  const heap = new Float32Array(memory.buffer);
  const bytes = new Uint8Array(memory.buffer);
  let kernels: Kernels;
  let free = 1024;

  beforeAll(async () => {
    kernels = await startKernels(memory, await compileKernels(true, simd));
  });

  const place = (count: number): number => {
    const at = free;
    free += Math.ceil(count / 16) * 16 + 64;
    return at;
  };
  const floats = (count: number, size = 4): { at: number; values: Float32Array } => {
    const at = place(4 * count);
    const values = heap.subarray(at / 4, at / 4 + count);
    for (let index = 0; index < count; index++) values[index] = (random() - 0.5) * size;
    return { at, values };
  };
  const noise = (count: number, below: number, least = 0): { at: number; values: Uint8Array } => {
    const at = place(count);
    const values = bytes.subarray(at, at + count);
    for (let index = 0; index < count; index++) values[index] = Math.floor(least + random() * (below - least));
    return { at, values };
  };
  const closeTo = (actual: ArrayLike<number>, expected: ArrayLike<number>, relative = 1e-5) => {
    const largest = Math.max(...Array.from(expected, Math.abs));
    expect(actual).toHaveLength(expected.length);
    expect(Math.max(...Array.from(expected, (value, index) => Math.abs(value - (actual[index] ?? NaN))))).toBeLessThanOrEqual(largest * relative);
  };
  /** Ends of what kernels write: nothing after it may change. */
  const guarded = (at: number, count: number): (() => void) => {
    const guard = bytes.subarray(at + count, at + count + 32);
    guard.fill(0xa5);
    return () => expect([...guard]).toEqual(Array.from({ length: 32 }, () => 0xa5));
  };

  test("known answers come out, and of what is wrong the name", async () => {
    const small = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const checked = await startKernels(small, await compileKernels(true, simd));
    if (isForeign) return expect(checkKernels(checked, small)).toBe("product of 8 bits");
    expect(checkKernels(checked, small)).toBeNull();
    expect(checkKernels({ ...checked, pack: (bits, ...rest) => checked.pack(bits === 4 ? 8 : bits, ...rest) }, small)).toBe("product of 4 bits");
    expect(checkKernels({ ...checked, round: (x, to, scales, _rows, k) => checked.round(x, to, scales, 1, k) }, small)).toBe("product of 4 bits");
    expect(checkKernels({ ...checked, normalize: (x, weights, to, rows, size) => checked.normalize(x, weights, to, rows, size, 0) }, small)).toBe("normalize");
    expect(checkKernels({ ...checked, attend: (query, stride, keys, values, scores, to, toStride, heads, rows, past, ...rest) => checked.attend(query, stride, keys, values, scores, to, toStride, heads, rows, past - 1, ...rest) }, small)).toBe("attend");
    expect(checkKernels({ ...checked, attendHeads: (query, keys, values, scores, to, heads, past, ...rest) => checked.attendHeads(query, keys, values, scores, to, Math.min(heads, 3), past, ...rest) }, small)).toBe("attendHeads");
    expect(checkKernels({ ...checked, likeliest: () => 27 }, small)).toBe("likeliest");
    for (const name of ["add", "mul", "siluMul", "sigmoid", "rotate", "copy", "keep", "gelu", "scale", "survey", "weigh", "above"] as const) expect(checkKernels({ ...checked, [name]: () => undefined }, small)).toBe(name);
  });

  describe.each([4, 8] as const)("weights of %i bits", (bits) => {
    const matrix = (n: number, k: number, hasZeros: boolean) => {
      const blocks = k / BLOCK;
      const [weights, scales, zeros] = [bits === 4 ? noise((n * k) / 2, 256) : noise(n * k, below, least), floats(n * blocks, 0.1), noise(n * blocks, 2 ** bits)];
      const packed = place(packedBytes(bits, n, k));
      const isWhole = guarded(packed, packedBytes(bits, n, k));
      kernels.pack(bits, weights.at, scales.at, hasZeros ? zeros.at : 0, packed, n, k);
      isWhole();
      const quantized = (at: number): number => (bits === 8 ? (weights.values[at] ?? 0) : ((weights.values[at >> 1] ?? 0) >> (4 * (at % 2))) & 15);
      const weight = (output: number, column: number): number => {
        const block = output * blocks + Math.floor(column / BLOCK);
        return (quantized(output * k + column) - (hasZeros ? (zeros.values[block] ?? 0) : 2 ** (bits - 1))) * (scales.values[block] ?? 0);
      };
      return { packed, weight };
    };

    test.each([[8, 32, true], [24, 96, true], [16, 64, false]])("%i outputs of %i numbers come back from their packed form", (n, k, hasZeros) => {
      const { packed, weight } = matrix(n, k, hasZeros);
      for (const output of [0, 5, n - 1]) {
        const to = floats(k);
        kernels.unpack(bits, packed, output, to.at, k);
        closeTo(to.values, Array.from({ length: k }, (_, column) => weight(output, column)), 1e-6);
      }
    });

    test.each([[1, 8, 32, true], [1, 24, 96, false], [1, 72, 64, true], [1, 104, 64, true], [2, 16, 576, true], [7, 16, 64, true], [13, 8, 96, true]])("%i rows, %i outputs, %i inputs", (rows, n, k, hasZeros) => {
      const { packed, weight } = matrix(n, k, hasZeros);
      const [x, scales, y] = [floats(rows * k), place(4 * rows), floats(rows * n)];
      const rounded = place(rows * roundedBytes(k));
      const isWhole = [guarded(rounded, rows * roundedBytes(k)), guarded(y.at, 4 * rows * n)];
      kernels.round(x.at, rounded, scales, rows, k);
      // Rounded here as there, but for ties: what is left is the order of sums.
      const expected = Array.from({ length: rows }, (_, row) => {
        const values = x.values.subarray(row * k, (row + 1) * k);
        const scale = Math.max(...values.map(Math.abs)) / LARGEST;
        return Array.from({ length: n }, (_, output) => values.reduce((sum, value, column) => sum + Math.round(value / scale) * scale * weight(output, column), 0));
      });
      kernels.product(bits, packed, rounded, scales, y.at, rows, n, k, 0, n);
      closeTo(y.values, expected.flat());
      for (const check of isWhole) check();
    });

    test("a range of the outputs, and no other", () => {
      const [rows, n, k] = [3, 32, 64];
      const { packed } = matrix(n, k, true);
      const [x, scales, whole, part] = [floats(rows * k), place(4 * rows), floats(rows * n), floats(rows * n)];
      const rounded = place(rows * roundedBytes(k));
      const before = part.values.slice();
      kernels.round(x.at, rounded, scales, rows, k);
      kernels.product(bits, packed, rounded, scales, whole.at, rows, n, k, 0, n);
      kernels.product(bits, packed, rounded, scales, part.at, rows, n, k, 8, 24);
      const isInside = (at: number): boolean => at % n >= 8 && at % n < 24;
      expect([...part.values]).toEqual([...before].map((value, at) => (isInside(at) ? whole.values[at] : value)));
    });
  });

  test("the largest activations and weights don't overflow", () => {
    const [n, k] = [8, 32];
    const [weights, scales, zeros] = [noise(n * k, 1), floats(n), noise(n, 1)];
    weights.values.fill(below - 1);
    scales.values.fill(1);
    const packed = place(packedBytes(8, n, k));
    kernels.pack(8, weights.at, scales.at, zeros.at, packed, n, k);
    const [x, xScale, y, rounded] = [floats(2 * k), place(8), floats(2 * n), place(2 * roundedBytes(k))];
    x.values.fill(1, 0, k).fill(-1, k);
    kernels.round(x.at, rounded, xScale, 2, k);
    kernels.product(8, packed, rounded, xScale, y.at, 2, n, k, 0, n);
    closeTo(y.values, [...Array.from({ length: n }, () => (below - 1) * k), ...Array.from({ length: n }, () => (1 - below) * k)], 1e-6);
  });

  test.each([NaN, Infinity, -Infinity])("%f among the activations is not lost", (stranger) => {
    const [n, k] = [8, 64];
    const [weights, scales, packed] = [noise(n * k, below, least), floats(2 * n), place(packedBytes(8, n, k))];
    kernels.pack(8, weights.at, scales.at, 0, packed, n, k);
    const [x, xScale, y, rounded] = [floats(2 * k), place(8), floats(2 * n), place(2 * roundedBytes(k))];
    x.values[k + 37] = stranger;
    kernels.round(x.at, rounded, xScale, 2, k);
    kernels.product(8, packed, rounded, xScale, y.at, 2, n, k, 0, n);
    expect([...y.values].map(Number.isNaN)).toEqual(Array.from({ length: 2 * n }, (_, at) => at >= n));
  });

  test("nothing is rounded to nothing", () => {
    const [x, scale, to] = [floats(BLOCK, 0), place(4), place(roundedBytes(BLOCK))];
    kernels.round(x.at, to, scale, 1, BLOCK);
    expect(heap[scale / 4]).toBeGreaterThan(0);
    expect([...bytes.subarray(to, to + roundedBytes(BLOCK))].every((byte) => byte === 0)).toBe(true);
  });

  const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));
  test.each([4, 20, 64])("sums, products and sigmoids of %i numbers", (count) => {
    const [a, b, to] = [floats(count, 40), floats(count), floats(count)];
    kernels.add(a.at, b.at, to.at, count);
    closeTo(to.values, a.values.map((value, at) => value + (b.values[at] ?? 0)));
    kernels.mul(a.at, b.at, to.at, count);
    closeTo(to.values, a.values.map((value, at) => value * (b.values[at] ?? 0)));
    kernels.sigmoid(a.at, to.at, count);
    closeTo(to.values, a.values.map(sigmoid));
    kernels.siluMul(a.at, b.at, to.at, count);
    const expected = a.values.map((value, at) => value * sigmoid(value) * (b.values[at] ?? 0));
    closeTo(to.values, expected);
    kernels.siluMul(a.at, b.at, a.at, count);
    closeTo(a.values, expected);
  });

  test("the largest and the smallest have a sigmoid too", () => {
    const [x, to] = [floats(4), floats(4)];
    x.values.set([-1e4, -87, 87, 1e4]);
    kernels.sigmoid(x.at, to.at, 4);
    closeTo(to.values, [0, 0, 1, 1]);
  });

  test("normalizing by the root of the mean square", () => {
    const [rows, size] = [3, 20];
    const [x, weights, to] = [floats(rows * size), floats(size), floats(rows * size)];
    kernels.normalize(x.at, weights.at, to.at, rows, size, 1e-5);
    const expected = Array.from({ length: rows }, (_, row) => {
      const values = x.values.subarray(row * size, (row + 1) * size);
      const root = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / size + 1e-5);
      return Array.from(values, (value, at) => (value / root) * (weights.values[at] ?? 0));
    });
    closeTo(to.values, expected.flat());
  });

  test("rotating a head of rows that lie apart", () => {
    const [rows, half, stride, toStride] = [3, 8, 40, 16];
    const [x, cos, sin, to] = [floats(rows * stride), floats(rows * half), floats(rows * half), floats(rows * toStride)];
    kernels.rotate(x.at, 4 * stride, cos.at, sin.at, to.at, 4 * toStride, rows, half);
    const expected = Array.from({ length: rows }, (_, row) => {
      const [first, second] = [x.values.subarray(row * stride, row * stride + half), x.values.subarray(row * stride + half, row * stride + 2 * half)];
      const turned = (a: Float32Array, b: Float32Array, sign: number) => Array.from(a, (value, at) => value * (cos.values[row * half + at] ?? 0) + sign * (b[at] ?? 0) * (sin.values[row * half + at] ?? 0));
      return [...turned(first, second, -1), ...turned(second, first, 1)];
    });
    closeTo(to.values, expected.flat());
  });

  test("copying, and nothing beyond", () => {
    const [x, to] = [floats(24), floats(24)];
    const rest = to.values.slice(20);
    kernels.copy(x.at, to.at, 20);
    expect([...to.values]).toEqual([...x.values.subarray(0, 20), ...rest]);
  });

  /** Of a matrix whose rows lie `stride` numbers apart: where it is kept, and its numbers as they come back. */
  const kept = (from: { at: number; values: Float32Array }, size: number, stride = size): { at: number; values: Float32Array } => {
    const rows = from.values.length / stride;
    const at = place(rows * keptBytes(size));
    const isWhole = guarded(at, rows * keptBytes(size));
    kernels.keep(from.at, 4 * stride, at, rows, size);
    isWhole();
    const row = (index: number): Float32Array => {
      const [begin, scale = NaN] = [at + index * keptBytes(size), heap[(at + index * keptBytes(size) + 2 * size) / 4]];
      return Float32Array.from(new Int16Array(memory.buffer, begin, size), (number) => number * scale);
    };
    return { at, values: Float32Array.from(Array.from({ length: rows }, (_, index) => [...row(index)]).flat()) };
  };

  test.each([[1, 16], [3, 64], [2, 48]])("keeping %i rows of %i numbers that lie apart: each is right to 2e-5 of the largest of its row", (rows, size) => {
    const stride = size + 8;
    const x = floats(rows * stride);
    x.values.subarray(0, size).forEach((value, at, row) => (row[at] = value / 1000)); // a small row beside large ones
    const { values } = kept(x, size, stride);
    for (let row = 0; row < rows; row++) closeTo(values.subarray(row * size, (row + 1) * size), x.values.subarray(row * stride, row * stride + size), 2e-5);
  });

  test("rows of zeros are kept as zeros", () => {
    expect([...kept(floats(32, 0), 16).values]).toEqual(Array.from({ length: 32 }, () => 0));
  });

  test.each([NaN, Infinity, -Infinity])("a row with %f in it is kept as no numbers, and no other", (stranger) => {
    const x = floats(3 * 16);
    x.values[16 + 5] = stranger;
    expect([...kept(x, 16).values].map(Number.isNaN)).toEqual(Array.from({ length: 3 * 16 }, (_, at) => at >= 16 && at < 32));
  });

  const attended = (query: Float32Array, keys: Float32Array, values: Float32Array, total: number, size: number): number[] => {
    const raw = Array.from({ length: total }, (_, token) => 0.125 * query.subarray(0, size).reduce((sum, value, at) => sum + value * (keys[token * size + at] ?? 0), 0));
    const most = Math.max(...raw);
    const weights = raw.map((score) => Math.exp(score - most));
    const all = weights.reduce((sum, weight) => sum + weight, 0);
    return Array.from({ length: size }, (_, at) => weights.reduce((sum, weight, token) => sum + weight * (values[token * size + at] ?? 0), 0) / all);
  };

  test.each([[1, 1, 0, 16], [3, 1, 36, 64], [1, 1, 255, 128], [2, 4, 0, 64], [1, 5, 3, 32], [3, 37, 11, 64], [2, 64, 64, 16], [1, 16, 250, 48]])("%i heads of %i rows attend over %i tokens and their own with a size of %i", (heads, rows, past, size) => {
    const [total, wide, stride] = [past + rows, heads * size, (heads + 1) * size];
    const [query, x, y, to] = [floats(rows * stride), floats(total * size), floats(total * size), floats(rows * stride)];
    const [keys, values] = [kept(x, size), kept(y, size)];
    const before = to.values.slice();
    const scores = place(scoresBytes(total, size));
    const isWhole = guarded(scores, scoresBytes(total, size));
    const expected = (keysOf: Float32Array, valuesOf: Float32Array): number[][] =>
      Array.from({ length: rows }, (_, row) => Array.from({ length: heads }, (_head, head) => attended(query.values.subarray(row * stride + head * size), keysOf, valuesOf, past + row + 1, size)).flat());
    kernels.attend(query.at, 4 * stride, keys.at, values.at, scores, to.at, 4 * stride, heads, rows, past, size, 0.125);
    closeTo(to.values, expected(keys.values, values.values).flatMap((row, at) => [...row, ...before.subarray(at * stride + wide, (at + 1) * stride)]));
    isWhole();
    // Beside what was never rounded, of the largest value: 1.5e-5 for the values' rounding, and as much for the keys', which turns weights.
    const largest = Math.max(...y.values.map(Math.abs));
    const furthest = Math.max(...expected(x.values, y.values).flatMap((row, at) => row.map((value, column) => Math.abs(value - (to.values[at * stride + column] ?? NaN)))));
    expect(furthest).toBeLessThanOrEqual(3e-5 * largest);
  });

  test.each([[1, 9, 64], [2, 0, 16], [2, 3, 64], [3, 2, 16], [3, 36, 64], [3, 1023, 64], [4, 4, 32], [4, 254, 128], [5, 7, 16], [7, 41, 64], [9, 10, 16]])("%i heads attend together over %i tokens and their own, with a size of %i", (heads, past, size) => {
    const total = past + 1;
    const [query, keys, values, to] = [floats(heads * size), kept(floats(total * size), size), kept(floats(total * size), size), floats(heads * size)];
    const scores = place(scoresBytes(total, size));
    const isWhole = [guarded(scores, scoresBytes(total, size)), guarded(to.at, 4 * heads * size)];
    kernels.attendHeads(query.at, keys.at, values.at, scores, to.at, heads, past, size, 0.125);
    closeTo(to.values, Array.from({ length: heads }, (_, head) => attended(query.values.subarray(head * size), keys.values, values.values, total, size)).flat());
    for (const check of isWhole) check();
  });

  test("a key that is no number is not lost on any of the heads", () => {
    const [query, x, to] = [floats(3 * 16), floats(6 * 16), floats(3 * 16)];
    x.values[5 * 16 + 3] = NaN;
    const [keys, values] = [kept(x, 16), kept(floats(6 * 16), 16)];
    kernels.attendHeads(query.at, keys.at, values.at, place(scoresBytes(6, 16)), to.at, 3, 5, 16, 0.125);
    expect([...to.values].every(Number.isNaN)).toBe(true);
  });

  test("the likeliest is the first of the largest, and there is none where one is no number", () => {
    const any = fc.oneof({ weight: 20, arbitrary: fc.integer({ min: -3, max: 3 }) }, fc.constantFrom(NaN, -0, Infinity, -Infinity, -3.4028234663852886e38), { weight: 20, arbitrary: fc.float({ noNaN: true }) });
    const { at, values } = floats(80);
    fc.assert(
      fc.property(fc.array(any, { minLength: 8, maxLength: 80 }), (logits) => {
        values.set(logits);
        const most = Math.max(...logits);
        expect(kernels.likeliest(at, logits.length)).toBe(most > -Infinity ? logits.indexOf(most) : -1);
      }),
    );
  });

  test("among nothing but what is no number there is no likeliest", () => {
    const { at, values } = floats(24);
    expect(kernels.likeliest(at, values.fill(NaN).fill(-Infinity, 9).length)).toBe(-1);
  });
});
