/**
 * How weights and activations lie in memory for the products. Pure.
 *
 * - Activations, rounded to 16 bits under one scale a row: for each block of 32 its 64 bytes, then their sum (a float).
 * - Weights, for each 8 outputs and then for each block: their bytes, 8 scales (floats), 8 zero points (bytes). Of the
 *   weights, each 16 bytes belong to 4 outputs, 4 bytes to each: of 4 bits the numbers 0 to 7 in order, low half first;
 *   of 8 bits first 0, 2, 4, 6, then 1, 3, 5, 7. So a product reads one stream, and its sums need no adding across.
 */
export type Bits = 4 | 8;

export const BLOCK = 32;
/** Packed together: what a matrix is filled up to with outputs of nothing, and where a range of them may begin and end. */
export const OUTPUTS = 8;
export const wholeOutputs = (n: number): number => Math.ceil(n / OUTPUTS) * OUTPUTS;
/** Outputs in a vector. */
export const QUAD = 4;

export const ROUNDED_BLOCK = 2 * BLOCK + 4;
export const SUM_AT = 2 * BLOCK;
/** The largest that two signed bytes hold: 127 · 256 + 127. */
export const LARGEST = 32639;

const SCALES = 4 * OUTPUTS;
export const scalesAt = (bits: Bits): number => (OUTPUTS * BLOCK * bits) / 8;
export const zerosAt = (bits: Bits): number => scalesAt(bits) + SCALES;
export const packedBlock = (bits: Bits): number => zerosAt(bits) + OUTPUTS;

export const roundedBytes = (k: number): number => (k / BLOCK) * ROUNDED_BLOCK;
export const packedBytes = (bits: Bits, n: number, k: number): number => (wholeOutputs(n) / OUTPUTS) * (k / BLOCK) * packedBlock(bits);
