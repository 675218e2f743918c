/** 16-bit floats to 32-bit ones. Pure. */
const scratch = new DataView(new ArrayBuffer(4));

export function halfToFloat(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 31;
  const fraction = half & 0x3ff;
  if (exponent === 0) return (sign === 0 ? 1 : -1) * fraction * 2 ** -24;
  scratch.setUint32(0, sign | (exponent === 31 ? 0x7f800000 : (exponent + 112) << 23) | (fraction << 13));
  return scratch.getFloat32(0);
}

/** Little-endian halves. A table of all 65,536 pays from some ten thousand on. */
export function halvesToFloats(bytes: Uint8Array): Float32Array {
  const count = bytes.length >> 1;
  const floats = new Float32Array(count);
  const table = count > 20_000 ? allHalves() : null;
  for (let at = 0; at < count; at++) {
    const half = (bytes[2 * at] ?? 0) | ((bytes[2 * at + 1] ?? 0) << 8);
    floats[at] = table ? (table[half] ?? 0) : halfToFloat(half);
  }
  return floats;
}

let halves: Float32Array | undefined;
const allHalves = (): Float32Array => (halves ??= Float32Array.from({ length: 65_536 }, (_, half) => halfToFloat(half)));

/** The nearest half; of two equally near the even one. What is too large is infinite. */
export function floatToHalf(float: number): number {
  scratch.setFloat32(0, float);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = Math.abs(float);
  if (Number.isNaN(float)) return 0x7e00;
  if (magnitude >= 65_520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude || 2 ** -24)));
  const step = 2 ** (exponent - 10);
  const steps = roundToEven(magnitude / step);
  return sign | (exponent === -14 && steps < 1024 ? steps : ((exponent + 15) << 10) + (steps - 1024));
}

function roundToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
