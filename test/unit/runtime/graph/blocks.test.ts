import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dequantize, requantize, blocksPerRow, quantizedBytes, zeroPointBytes, type Blocks, type BlockShape } from "../../../../client/runtime/graph/blocks.ts";
import { halfToFloat, halvesToFloats } from "../../../../client/runtime/graph/half.ts";

/** Weights as they come out of a quantizer, and what they stand for, straight from the definition. */
const quantized = fc
  .record({ n: fc.integer({ min: 1, max: 40 }), k: fc.integer({ min: 1, max: 70 }), bits: fc.constantFrom<4 | 8>(4, 8), blockSize: fc.constantFrom(16, 32), zeros: fc.constantFrom("none", "packed", "floats"), seed: fc.nat() })
  .map(({ zeros, seed, ...shape }) => {
    let state = seed + 1;
    const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    const perRow = blocksPerRow(shape);
    const levels = 2 ** shape.bits;
    const numbers = (count: number) => Array.from({ length: count }, () => Math.floor(random() * levels));
    const packed = (rows: number, perPackedRow: number, at: (row: number, index: number) => number) => {
      const rowBytes = Math.ceil((perPackedRow * shape.bits) / 8);
      const bytes = new Uint8Array(rows * rowBytes);
      for (let row = 0; row < rows; row++)
        for (let index = 0; index < perPackedRow; index++)
          if (shape.bits === 8) bytes[row * rowBytes + index] = at(row, index);
          else bytes[row * rowBytes + (index >> 1)] = (bytes[row * rowBytes + (index >> 1)] ?? 0) | (at(row, index) << (4 * (index % 2)));
      return bytes;
    };
    const weights = numbers(shape.n * perRow * shape.blockSize);
    const points = numbers(shape.n * perRow);
    const scales = Float32Array.from({ length: shape.n * perRow }, () => random() + 0.01);
    const blocks: Blocks = {
      quantized: packed(shape.n, perRow * shape.blockSize, (row, index) => weights[row * perRow * shape.blockSize + index] ?? 0),
      scales,
      zeroPoints: zeros === "none" ? null : zeros === "floats" ? Float32Array.from(points) : packed(shape.n, perRow, (row, index) => points[row * perRow + index] ?? 0),
    };
    const meaning = (row: number, column: number) => {
      const block = row * perRow + Math.floor(column / shape.blockSize);
      const zero = zeros === "none" ? levels / 2 : (points[block] ?? 0);
      return Math.fround(((weights[row * perRow * shape.blockSize + column] ?? 0) - zero) * (scales[block] ?? 0));
    };
    return { shape: shape satisfies BlockShape, blocks, meaning };
  });

describe("weights in blocks", () => {
  test("come out as what they stand for, inputs as rows", () => {
    fc.assert(
      fc.property(quantized, ({ shape, blocks, meaning }) => {
        expect(blocks.quantized).toHaveLength(quantizedBytes(shape));
        if (blocks.zeroPoints instanceof Uint8Array) expect(blocks.zeroPoints).toHaveLength(zeroPointBytes(shape));
        const full = dequantize(shape, blocks);
        const expected = Array.from({ length: shape.k * shape.n }, (_, at) => meaning(at % shape.n, Math.floor(at / shape.n)));
        expect([...full].every((value, at) => value === expected[at])).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("rounded to 8 bits are off by half a step at most", () => {
    fc.assert(
      fc.property(quantized, ({ shape, blocks, meaning }) => {
        const { weights, scales } = requantize(shape, blocks);
        const worst = Array.from(weights, (value, at) => Math.abs(value * (scales[at % shape.n] ?? 0) - meaning(at % shape.n, Math.floor(at / shape.n))) / (scales[at % shape.n] ?? 1)).reduce((most, off) => Math.max(most, off), 0);
        expect(worst).toBeLessThan(0.501);
      }),
      { numRuns: 30 },
    );
  });
});

test("16-bit floats mean what they mean", () => {
  const cases: [number, number][] = [[0x0000, 0], [0x3c00, 1], [0xc000, -2], [0x7bff, 65_504], [0x0001, 2 ** -24], [0x83ff, -1023 * 2 ** -24], [0x0400, 2 ** -14], [0x7c00, Infinity], [0xfc00, -Infinity]];
  for (const [bits, value] of cases) expect(halfToFloat(bits)).toBe(value);
  expect(halfToFloat(0x7e00)).toBeNaN();
  const many = Uint16Array.from({ length: 30_000 }, (_, at) => at);
  expect([...halvesToFloats(new Uint8Array(many.buffer))].every((value, at) => Object.is(value, halfToFloat(at)))).toBe(true);
});
