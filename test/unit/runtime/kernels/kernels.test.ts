/** Each kernel beside the same sum in plain JavaScript. */
import { beforeAll, describe, expect, test } from "vitest";
import { startKernels, type Kernels } from "../../../../client/runtime/kernels/kernels.ts";
import { seededRandom } from "../../../../client/runtime/sampling/random.ts";

const BLOCK = 32;
const random = seededRandom(7, 0);
const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536, shared: true });
const heap = new Float32Array(memory.buffer);
const bytes = new Uint8Array(memory.buffer);
let kernels: Kernels;
let free = 1024;

beforeAll(async () => {
  kernels = await startKernels(memory);
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
const noise = (count: number, most: number): { at: number; values: Uint8Array } => {
  const at = place(count);
  const values = bytes.subarray(at, at + count);
  for (let index = 0; index < count; index++) values[index] = Math.floor(random() * most);
  return { at, values };
};
const closeTo = (actual: Float32Array, expected: readonly number[], relative = 1e-5) => {
  const largest = Math.max(...expected.map(Math.abs));
  expect(actual).toHaveLength(expected.length);
  expect(Math.max(...expected.map((value, index) => Math.abs(value - (actual[index] ?? NaN))))).toBeLessThanOrEqual(largest * relative);
};

describe.each([4, 8] as const)("products with weights of %i bits", (bits) => {
  test.each([[4, 1], [8, 3], [64, 18]])("%i rows of %i blocks", (rows, blocks) => {
    const columns = blocks * BLOCK;
    const [x, scales] = [floats(columns), floats(rows * blocks, 0.1)];
    const weights = noise((rows * columns * bits) / 8, 256);
    const zeros = noise(rows * blocks, bits === 4 ? 16 : 256);
    const [rounded, y] = [place(2 * columns), floats(rows)];
    const weight = (at: number): number => (bits === 8 ? (weights.values[at] ?? 0) : ((weights.values[at >> 1] ?? 0) >> (4 * (at % 2))) & 15);
    const expected = Array.from({ length: rows }, (_, row) =>
      x.values.reduce((sum, value, column) => {
        const block = row * blocks + Math.floor(column / BLOCK);
        return sum + value * (weight(row * columns + column) - (zeros.values[block] ?? 0)) * (scales.values[block] ?? 0);
      }, 0),
    );
    const scale = (bits === 4 ? kernels.quantizeHalves : kernels.quantize)(x.at, rounded, columns);
    (bits === 4 ? kernels.product4 : kernels.product8)(weights.at, scales.at, zeros.at, rounded, scale, y.at, rows, blocks);
    closeTo(y.values, expected, 1e-3);
  });
});

test("nothing is rounded to nothing", () => {
  const x = floats(BLOCK, 0);
  const to = place(2 * BLOCK);
  expect(kernels.quantize(x.at, to, BLOCK)).toBeGreaterThan(0);
  expect([...bytes.subarray(to, to + 2 * BLOCK)].every((byte) => byte === 0)).toBe(true);
});

test.each([4, 20, 64])("sums, products and sigmoids of %i numbers", (count) => {
  const [a, b, to] = [floats(count, 40), floats(count), floats(count)];
  kernels.add(a.at, b.at, to.at, count);
  closeTo(to.values, [...a.values].map((value, at) => value + (b.values[at] ?? 0)));
  kernels.mul(a.at, b.at, to.at, count);
  closeTo(to.values, [...a.values].map((value, at) => value * (b.values[at] ?? 0)));
  kernels.sigmoid(a.at, to.at, count);
  closeTo(to.values, [...a.values].map((value) => 1 / (1 + Math.exp(-value))));
});

test("the largest and the smallest have a sigmoid too", () => {
  const [x, to] = [floats(4), floats(4)];
  x.values.set([-1e4, -87, 87, 1e4]);
  kernels.sigmoid(x.at, to.at, 4);
  closeTo(to.values, [0, 0, 1, 1]);
});

test("normalizing by the root of the mean square", () => {
  const [x, weights, to] = [floats(64), floats(64), floats(64)];
  kernels.normalize(x.at, weights.at, to.at, 64, 1e-5);
  const root = Math.sqrt(x.values.reduce((sum, value) => sum + value * value, 0) / 64 + 1e-5);
  closeTo(to.values, [...x.values].map((value, at) => (value / root) * (weights.values[at] ?? 0)));
});

test("rotating a head", () => {
  const [half, x, cos, sin, to] = [8, floats(16), floats(8), floats(8), floats(16)];
  kernels.rotate(x.at, cos.at, sin.at, to.at, half);
  const [first, second] = [[...x.values.subarray(0, half)], [...x.values.subarray(half)]];
  const turned = (a: readonly number[], b: readonly number[], sign: number) => a.map((value, at) => value * (cos.values[at] ?? 0) + sign * (b[at] ?? 0) * (sin.values[at] ?? 0));
  closeTo(to.values, [...turned(first, second, -1), ...turned(second, first, 1)]);
});

test.each([[1, 16], [2, 64], [37, 64], [256, 128]])("attention over %i tokens with a head of %i", (total, size) => {
  const [query, keys, values, to] = [floats(size), floats(total * size), floats(total * size), floats(size)];
  const scores = place(4 * (total + 8));
  kernels.attend(query.at, keys.at, values.at, scores, to.at, total, size, 0.125);
  const raw = Array.from({ length: total }, (_, token) => 0.125 * query.values.reduce((sum, value, at) => sum + value * (keys.values[token * size + at] ?? 0), 0));
  const most = Math.max(...raw);
  const weights = raw.map((score) => Math.exp(score - most));
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  closeTo(to.values, Array.from({ length: size }, (_, at) => weights.reduce((sum, weight, token) => sum + weight * (values.values[token * size + at] ?? 0), 0) / all));
});
