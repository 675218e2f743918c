/**
 * An ONNX model as data: its structure, without its weights.
 *
 * - A tensor's content stays where it is, as a range of a file; what a rewrite makes up is bytes, or a recipe for them.
 * - `rest` holds the fields that nothing here looks at (docs, value infos, metadata), encoded as they came, so that
 *   a model that is read and written again means what it meant.
 * - Plain values, never changed after they are made: a rewrite gives a new model that shares what it left alone.
 */

/** Bytes of a file. Without `file`: of the model file itself; else of its external data, by the name that the model gives. */
export interface ByteRange {
  readonly file?: string;
  readonly offset: number;
  readonly length: number;
}

/** Bytes that are made from others when they are needed, and not kept. */
export interface DerivedBytes {
  readonly length: number;
  readonly from: readonly (ByteRange | Uint8Array)[];
  /** Where each `to` bytes come of the `from` bytes at the same place of the only input: then a part can be made of a part. */
  readonly each?: { readonly from: number; readonly to: number };
  /** Pure; gets the bytes of `from`, in that order, and gives exactly `length` bytes. */
  readonly make: (inputs: readonly Uint8Array[]) => Uint8Array;
}

export type Payload = ByteRange | Uint8Array | DerivedBytes;

/** The fields of TensorProto that hold elements as protobuf numbers (6: strings). */
export type TypedField = 4 | 5 | 6 | 7 | 10 | 11;

export type TensorData =
  | { readonly kind: "none" }
  /** Little-endian elements, one after another. */
  | { readonly kind: "raw"; readonly bytes: Payload }
  /** The encoded field, its tags included. */
  | { readonly kind: "typed"; readonly field: TypedField; readonly range: ByteRange }
  /** In another file. `length` is absent where the model does not state it. */
  | { readonly kind: "external"; readonly location: string; readonly offset: number; readonly length?: number };

export interface OnnxTensor {
  readonly name: string;
  /** One of `ELEMENT`; unknown numbers pass through. */
  readonly dataType: number;
  readonly dims: readonly number[];
  readonly data: TensorData;
  readonly rest: Uint8Array;
}

/** Only the fields that were there. `i` and `ints` are int64. */
export interface OnnxAttribute {
  readonly name: string;
  /** AttributeProto.AttributeType; 0 in models older than the field. */
  readonly type: number;
  readonly f?: number;
  readonly i?: bigint;
  readonly s?: Uint8Array;
  readonly t?: OnnxTensor;
  readonly g?: OnnxGraph;
  readonly floats?: readonly number[];
  readonly ints?: readonly bigint[];
  readonly strings?: readonly Uint8Array[];
  readonly tensors?: readonly OnnxTensor[];
  readonly graphs?: readonly OnnxGraph[];
  readonly rest: Uint8Array;
}

export interface OnnxNode {
  readonly name: string;
  readonly opType: string;
  /** "" is the ONNX standard's own. */
  readonly domain: string;
  /** "" stands for one left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly OnnxAttribute[];
  readonly rest: Uint8Array;
}

/** A size, the name of one, or unknown. */
export type Dimension = number | string | null;

export interface TensorType {
  readonly elementType: number;
  readonly shape: readonly Dimension[] | null;
}

export interface OnnxValue {
  readonly name: string;
  /** Absent where it is not a plain tensor. */
  readonly tensor?: TensorType;
  /** The type as it came, encoded. A value that a rewrite makes up has only `tensor`. */
  readonly type?: Uint8Array;
  readonly rest: Uint8Array;
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** What the model says of values in between, encoded. Hints: a rewrite that changes such a value drops them. */
  readonly valueInfos: readonly Uint8Array[];
  readonly rest: Uint8Array;
}

export interface OnnxFunction {
  readonly name: string;
  readonly domain: string;
  readonly nodes: readonly OnnxNode[];
  /** Attributes that its nodes get where a call has none. */
  readonly defaults?: readonly OnnxAttribute[];
  readonly rest: Uint8Array;
}

export interface OpsetImport {
  readonly domain: string;
  readonly version: number;
}

export interface OnnxModel {
  readonly irVersion: number;
  readonly opsets: readonly OpsetImport[];
  readonly graph: OnnxGraph;
  readonly functions: readonly OnnxFunction[];
  readonly rest: Uint8Array;
}

/** TensorProto.DataType, as far as runtimes use it. */
export const ELEMENT = {
  float: 1, uint8: 2, int8: 3, uint16: 4, int16: 5, int32: 6, int64: 7, string: 8, bool: 9, float16: 10, double: 11, uint32: 12, uint64: 13,
  bfloat16: 16, uint4: 21, int4: 22,
} as const;

const BITS: Readonly<Record<number, number>> = {
  1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128,
  16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4,
};

export const elementCount = (dims: readonly number[]): number => dims.reduce((product, size) => product * size, 1);

/** Bytes that a tensor's raw elements take; `null` for strings and unknown types. */
export function tensorBytes({ dataType, dims }: Pick<OnnxTensor, "dataType" | "dims">): number | null {
  const bits = BITS[dataType];
  return bits === undefined ? null : Math.ceil((elementCount(dims) * bits) / 8);
}
