/** Named tensors, as they go into a model and come out. */
export type RawData = Float32Array | Uint16Array | Int32Array | BigInt64Array | Uint8Array | Int8Array;

/** `float16` is the bits of each number; `bool` is 0 or 1. */
export type RawType = "float32" | "float16" | "int32" | "int64" | "uint8" | "int8" | "bool";

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

/** What holds the elements of each type. */
export const ARRAYS: Record<RawType, abstract new (...args: never[]) => RawData> = {
  float32: Float32Array, float16: Uint16Array, int32: Int32Array, int64: BigInt64Array, uint8: Uint8Array, int8: Int8Array, bool: Uint8Array,
};

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
    if (!Object.hasOwn(ARRAYS, type) || !(data instanceof ARRAYS[type])) return `the data of ${name} is not what ${type} takes`;
    if (!Array.isArray(dims) || !dims.every((size) => Number.isSafeInteger(size) && size >= 0)) return `the dims of ${name} are no sizes`;
    const count = dims.reduce((product, size) => product * size, 1);
    if (data.length !== count) return `${name} has ${data.length} elements, and its dims ${dims.join(" × ")} say ${count}`;
  }
  return null;
}
