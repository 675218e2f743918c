/** A tensor's elements, where they lie plain in a file or in memory. Pure. */
import { ELEMENT, tensorBytes, type OnnxAttribute, type OnnxNode, type OnnxTensor, type Payload } from "../../../schema/onnx/types.ts";
import { halvesToFloats } from "./half.ts";

export const NO_REST = new Uint8Array(0);

/** `null` where they are stored as protobuf numbers, or their length is not what the shape says. */
export function plainElements(tensor: OnnxTensor): Payload | null {
  const length = tensorBytes(tensor);
  if (length === null) return null;
  switch (tensor.data.kind) {
    case "raw":
      return tensor.data.bytes.length === length ? tensor.data.bytes : null;
    case "external": {
      const { location, offset, length: stated = length } = tensor.data;
      return stated === length ? { file: location, offset, length } : null;
    }
    case "none":
    case "typed":
      return null;
  }
}

/** Of float32 or float16 elements, which may lie unaligned. */
export function asFloats(dataType: number, bytes: Uint8Array): Float32Array {
  if (dataType === ELEMENT.float16) return halvesToFloats(bytes);
  return new Float32Array(bytes.slice().buffer);
}

export const bytesOf = (array: Float32Array | Int8Array | Uint8Array): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

export const tensorOf = (name: string, dataType: number, dims: readonly number[], bytes: Payload): OnnxTensor => ({ name, dataType, dims, data: { kind: "raw", bytes }, rest: NO_REST });

export const int64Tensor = (name: string, values: readonly number[], dims: readonly number[] = [values.length]): OnnxTensor =>
  tensorOf(name, ELEMENT.int64, dims, new Uint8Array(BigInt64Array.from(values, BigInt).buffer));

export const intOf = ({ attributes }: OnnxNode, name: string): number | undefined => {
  const value = attributes.find((attribute) => attribute.name === name)?.i;
  return value === undefined ? undefined : Number(value);
};

export const textOf = ({ attributes }: OnnxNode, name: string): string | undefined => {
  const value = attributes.find((attribute) => attribute.name === name)?.s;
  return value && new TextDecoder().decode(value);
};

export const floatOf = ({ attributes }: OnnxNode, name: string): number | undefined => attributes.find((attribute) => attribute.name === name)?.f;

export const intAttribute = (name: string, value: number): OnnxAttribute => ({ name, type: 2, i: BigInt(value), rest: NO_REST });

export const nodeOf = (opType: string, name: string, inputs: readonly string[], outputs: readonly string[], attributes: readonly OnnxAttribute[] = [], domain = ""): OnnxNode => ({
  name, opType, domain, inputs, outputs, attributes, rest: NO_REST,
});
