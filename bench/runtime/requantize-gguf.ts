/**
 * A GGUF file in another quantisation of 32 numbers a block, for there is only one of this model to be had. Pure.
 *
 * - Q4_1 → Q8_0 or Q4_0; tensors of other types are copied. Everything else in the file stays as it is.
 * - Rounding is llama.cpp's own for these types.
 */
export type GgufQuant = "Q8_0" | "Q4_0";

const TYPE: Record<GgufQuant | "F32" | "Q4_1", number> = { F32: 0, Q4_0: 2, Q4_1: 3, Q8_0: 8 };
/** Of one block; F32 has blocks of one. */
const BYTES: ReadonlyMap<number, number> = new Map([[TYPE.F32, 4], [TYPE.Q4_0, 18], [TYPE.Q4_1, 20], [TYPE.Q8_0, 34]]);
const BLOCK = 32;
const ALIGNMENT = 32;
/** Bytes of a value in the metadata, by its type; 8 is text, 9 a list. */
const VALUE_BYTES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];

interface TensorInfo {
  readonly elements: number;
  readonly type: number;
  readonly offset: number;
  /** Where type and offset stand in the file. */
  readonly typeAt: number;
}

export function requantizeGguf(file: Uint8Array, to: GgufQuant): Uint8Array {
  const { infos, dataAt } = readHeader(file);
  const sizeOf = (elements: number, type: number) => (elements / (type === TYPE.F32 ? 1 : BLOCK)) * bytesOf(type);
  const placed: (TensorInfo & { newType: number; newOffset: number })[] = [];
  let length = 0;
  for (const info of infos) {
    const newType = info.type === TYPE.Q4_1 ? TYPE[to] : info.type;
    placed.push({ ...info, newType, newOffset: length });
    length = align(length + sizeOf(info.elements, newType));
  }
  const out = new Uint8Array(dataAt + length);
  out.set(file.subarray(0, dataAt));
  const header = new DataView(out.buffer);
  for (const { elements, type, offset, typeAt, newType, newOffset } of placed) {
    header.setUint32(typeAt, newType, true);
    header.setBigUint64(typeAt + 4, BigInt(newOffset), true);
    const from = file.subarray(dataAt + offset, dataAt + offset + sizeOf(elements, type));
    const into = out.subarray(dataAt + newOffset, dataAt + newOffset + sizeOf(elements, newType));
    if (newType === type) into.set(from);
    else convert(from, into, to);
  }
  return out;
}

function readHeader(file: Uint8Array): { infos: TensorInfo[]; dataAt: number } {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (view.getUint32(0, true) !== 0x46554747) throw new Error("this is no GGUF file");
  let at = 24;
  const u32 = () => view.getUint32((at += 4) - 4, true);
  const u64 = () => Number(view.getBigUint64((at += 8) - 8, true));
  const skip = (type: number): void => {
    if (type === 8) {
      const length = u64();
      at += length;
    } else if (type === 9) {
      const inner = u32();
      for (let left = u64(); left > 0; left--) skip(inner);
    } else at += VALUE_BYTES[type] ?? 0;
  };
  const skipText = () => skip(8);
  for (let left = Number(view.getBigUint64(16, true)); left > 0; left--) {
    skipText();
    skip(u32());
  }
  const infos: TensorInfo[] = [];
  for (let left = Number(view.getBigUint64(8, true)); left > 0; left--) {
    skipText();
    let elements = 1;
    for (let dims = u32(); dims > 0; dims--) elements *= u64();
    const typeAt = at;
    infos.push({ elements, type: u32(), offset: u64(), typeAt });
  }
  return { infos, dataAt: align(at) };
}

function convert(from: Uint8Array, into: Uint8Array, to: GgufQuant): void {
  const source = new DataView(from.buffer, from.byteOffset, from.byteLength);
  const target = new DataView(into.buffer, into.byteOffset, into.byteLength);
  const numbers = new Float32Array(BLOCK);
  for (let block = 0; block * bytesOf(TYPE.Q4_1) < from.length; block++) {
    const at = block * bytesOf(TYPE.Q4_1);
    const scale = source.getFloat16(at, true);
    const least = source.getFloat16(at + 2, true);
    for (let j = 0; j < 16; j++) {
      const pair = source.getUint8(at + 4 + j);
      numbers[j] = (pair & 15) * scale + least;
      numbers[j + 16] = (pair >> 4) * scale + least;
    }
    (to === "Q8_0" ? writeQ8 : writeQ4)(numbers, target, block * bytesOf(TYPE[to]));
  }
}

function writeQ8(numbers: Float32Array, target: DataView, at: number): void {
  const scale = numbers.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
  target.setFloat16(at, scale, true);
  numbers.forEach((value, j) => target.setInt8(at + 2 + j, scale === 0 ? 0 : Math.round(value / scale)));
}

function writeQ4(numbers: Float32Array, target: DataView, at: number): void {
  const largest = numbers.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
  const scale = largest / -8;
  const nibble = (j: number) => (scale === 0 ? 8 : Math.max(0, Math.min(15, Math.floor((numbers[j] ?? 0) / scale + 8.5))));
  target.setFloat16(at, scale, true);
  for (let j = 0; j < 16; j++) target.setUint8(at + 2 + j, nibble(j) | (nibble(j + 16) << 4));
}

const align = (offset: number): number => Math.ceil(offset / ALIGNMENT) * ALIGNMENT;

function bytesOf(type: number): number {
  const bytes = BYTES.get(type);
  if (bytes === undefined) throw new Error(`GGUF type ${type} is not known here`);
  return bytes;
}
