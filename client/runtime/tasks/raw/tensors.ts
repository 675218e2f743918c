/** Named tensors, as they go into a model and come out. */
export type RawNumbers = Float32Array | Float64Array | Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | BigUint64Array | BigInt64Array;
export type RawData = RawNumbers | readonly string[];

type NumberType = "float32" | "float16" | "float64" | "uint8" | "int8" | "uint16" | "int16" | "uint32" | "int32" | "uint64" | "int64" | "bool";
/** `float16` is the bits of each number; `bool` is 0 or 1. */
export type RawType = NumberType | "string";

export interface RawTensor {
  readonly type: RawType;
  readonly dims: readonly number[];
  readonly data: RawData;
}

export interface RawCall {
  readonly inputs: Readonly<Record<string, RawTensor>>;
  /** Default: all. */
  readonly outputs?: readonly string[];
}

export interface RawResult {
  readonly outputs: Readonly<Record<string, RawTensor>>;
}

/** What holds the elements of each type; those of "string" are in an array. */
const ARRAYS: Record<NumberType, abstract new (...args: never[]) => RawNumbers> = {
  float32: Float32Array, float16: Uint16Array, float64: Float64Array, uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array,
  uint32: Uint32Array, int32: Int32Array, uint64: BigUint64Array, int64: BigInt64Array, bool: Uint8Array,
};

export const isRawType = (type: unknown): type is RawType => type === "string" || (typeof type === "string" && Object.hasOwn(ARRAYS, type));

/** Whether these are elements of that type. */
export function isDataOf(type: RawType, data: unknown): data is RawData {
  return type === "string" ? Array.isArray(data) && data.every((text) => typeof text === "string") : data instanceof ARRAYS[type];
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null;

/** What is wrong with a call, in plain words; `null` where nothing is. */
export function callFault({ inputs, outputs = [] }: RawCall, inputNames: readonly string[], outputNames: readonly string[]): string | null {
  if (!isObject(inputs)) return "its inputs are no tensors by name";
  const missing = inputNames.find((name) => !Object.hasOwn(inputs, name));
  if (missing !== undefined) return `the input ${missing} is missing; the model takes ${inputNames.join(", ")}`;
  const unknown = Object.keys(inputs).find((name) => !inputNames.includes(name));
  if (unknown !== undefined) return `the model has no input ${unknown}; it takes ${inputNames.join(", ")}`;
  const noOutput = outputs.find((name) => !outputNames.includes(name));
  if (noOutput !== undefined) return `the model has no output ${noOutput}; it gives ${outputNames.join(", ")}`;
  for (const [name, tensor] of Object.entries(inputs)) {
    if (!isObject(tensor)) return `${name} is no tensor`;
    const { type, dims, data } = tensor;
    if (!isRawType(type)) return `${name} is of the type ${String(type)}, which no tensor has`;
    if (!isDataOf(type, data)) return `the data of ${name} is not what ${type} takes`;
    if (!Array.isArray(dims) || !dims.every((size) => Number.isSafeInteger(size) && size >= 0)) return `the dims of ${name} are no sizes`;
    const count = dims.reduce((product, size) => product * size, 1);
    if (data.length !== count) return `${name} has ${data.length} elements, and its dims ${dims.join(" × ")} say ${count}`;
  }
  return null;
}
