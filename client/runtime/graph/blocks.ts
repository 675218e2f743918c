/**
 * Weights in blocks of 4 or 8 bits, as `MatMulNBits` has them, taken to full numbers. Pure.
 *
 * - Stored: one row per output (N), each of K inputs in blocks; per block a scale and perhaps a zero point.
 * - Given: [K, N], as `MatMul` takes it: rows are inputs. Rows are done 16 at a time, so that what is written lies together.
 */
export interface BlockShape {
  /** Outputs. */
  readonly n: number;
  /** Inputs. */
  readonly k: number;
  readonly bits: 4 | 8;
  /** A power of two from 16 on. */
  readonly blockSize: number;
}

export interface Blocks {
  readonly quantized: Uint8Array;
  /** [n, blocks] */
  readonly scales: Float32Array;
  /** Packed like the weights, each row in whole bytes; or one number per block. Absent: the middle of the range. */
  readonly zeroPoints: Uint8Array | Float32Array | null;
}

const TOGETHER = 16;

export const blocksPerRow = ({ k, blockSize }: BlockShape): number => Math.ceil(k / blockSize);
export const quantizedBytes = (shape: BlockShape): number => (shape.n * blocksPerRow(shape) * shape.blockSize * shape.bits) / 8;
export const zeroPointBytes = (shape: BlockShape): number => shape.n * Math.ceil((blocksPerRow(shape) * shape.bits) / 8);

export function dequantize(shape: BlockShape, blocks: Blocks): Float32Array {
  const { n, k } = shape;
  const out = new Float32Array(k * n);
  const rows = new Float32Array(TOGETHER * k);
  for (let first = 0; first < n; first += TOGETHER) {
    const count = Math.min(TOGETHER, n - first);
    for (let r = 0; r < count; r++) dequantizeRow(shape, blocks, first + r, rows.subarray(r * k, (r + 1) * k));
    turn(rows, count, out, first, n);
  }
  return out;
}

/** Per output one scale, and int8 from −127 to 127: what `DynamicQuantizeMatMul` takes. [K, N], and [N]. */
export function requantize(shape: BlockShape, blocks: Blocks): { weights: Int8Array; scales: Float32Array } {
  const { n, k } = shape;
  const weights = new Int8Array(k * n);
  const scales = new Float32Array(n);
  const row = new Float32Array(k);
  const rows = new Int8Array(TOGETHER * k);
  for (let first = 0; first < n; first += TOGETHER) {
    const count = Math.min(TOGETHER, n - first);
    for (let r = 0; r < count; r++) {
      dequantizeRow(shape, blocks, first + r, row);
      let largest = 0;
      for (let at = 0; at < k; at++) largest = Math.max(largest, Math.abs(row[at] ?? 0));
      const scale = largest / 127 || 1;
      scales[first + r] = scale;
      for (let at = 0; at < k; at++) rows[r * k + at] = Math.round((row[at] ?? 0) / scale);
    }
    turn(rows, count, weights, first, n);
  }
  return { weights, scales };
}

/** `count` rows become columns from `first` on. One by one: a view for each run of so few numbers costs more than they do. */
function turn<Numbers extends Float32Array | Int8Array>(rows: Numbers, count: number, into: Numbers, first: number, width: number): void {
  const length = rows.length / TOGETHER;
  for (let at = 0; at < length; at++) {
    const to = at * width + first;
    for (let r = 0; r < count; r++) into[to + r] = rows[r * length + at] ?? 0;
  }
}

function dequantizeRow(shape: BlockShape, { quantized, scales, zeroPoints }: Blocks, n: number, row: Float32Array): void {
  const { k, bits, blockSize } = shape;
  const perRow = blocksPerRow(shape);
  const blockBytes = (blockSize * bits) / 8;
  for (let block = 0; block < perRow; block++) {
    const scale = scales[n * perRow + block] ?? 0;
    const zero = zeroPointOf(shape, zeroPoints, n, block, perRow);
    const start = (n * perRow + block) * blockBytes;
    const from = block * blockSize;
    const to = Math.min(k, from + blockSize);
    if (bits === 8) for (let at = from; at < to; at++) row[at] = ((quantized[start + at - from] ?? 0) - zero) * scale;
    else
      for (let at = from; at < to; at += 2) {
        const pair = quantized[start + ((at - from) >> 1)] ?? 0;
        row[at] = ((pair & 15) - zero) * scale;
        if (at + 1 < to) row[at + 1] = ((pair >> 4) - zero) * scale;
      }
  }
}

/** One byte for each block, from zero points packed like the weights. */
export function unpackZeroPoints(shape: BlockShape, packed: Uint8Array): Uint8Array {
  if (shape.bits === 8) return packed;
  const perRow = blocksPerRow(shape);
  const unpacked = new Uint8Array(shape.n * perRow);
  let from = 0;
  for (let at = 0; at < unpacked.length; ) {
    for (const end = at + perRow; at < end; ) {
      const pair = packed[from++] ?? 0;
      unpacked[at++] = pair & 15;
      if (at < end) unpacked[at++] = pair >> 4;
    }
  }
  return unpacked;
}

function zeroPointOf({ bits }: BlockShape, zeroPoints: Uint8Array | Float32Array | null, n: number, block: number, perRow: number): number {
  if (!zeroPoints) return bits === 4 ? 8 : 128;
  if (zeroPoints instanceof Float32Array || bits === 8) return zeroPoints[n * perRow + block] ?? 0;
  const pair = zeroPoints[n * Math.ceil(perRow / 2) + (block >> 1)] ?? 0;
  return block % 2 === 0 ? pair & 15 : pair >> 4;
}
