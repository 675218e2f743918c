/**
 * A graph of 16-bit floats as one of 32-bit floats. Pure.
 *
 * - Why: on a CPU onnxruntime has hardly any kernel for 16 bits. It casts weights and values back and forth around each
 *   operator, in every run; and our own kernels know 32 bits alone.
 * - Every constant is widened when it is asked for; what says "16 bits" (casts, inputs, outputs) says 32. Casts that
 *   change nothing any more go.
 * - Nothing is rounded that was not before, so that the same comes out but for the roundings of 16-bit sums, which go.
 * - `null` where nothing is of 16 bits, or something is that can't be told here: graphs inside of nodes, functions.
 */
import { elementCount, ELEMENT, tensorBytes, type OnnxAttribute, type OnnxModel, type OnnxNode, type OnnxTensor, type OnnxValue } from "../../../schema/onnx/types.ts";
import { halfToFloat, halvesToFloats } from "./half.ts";
import { bytesOf, intOf, plainElements } from "./tensors.ts";

/** Attributes that name the type of what comes out. */
const TYPES: ReadonlySet<string> = new Set(["to", "dtype", "output_dtype"]);
const HALF = BigInt(ELEMENT.float16);
const FLOAT = BigInt(ELEMENT.float);

class NotPlain extends Error {}

export function widenHalves(model: OnnxModel): OnnxModel | null {
  const { graph } = model;
  if (model.functions.length > 0 || graph.nodes.some(({ attributes }) => attributes.some(({ g, graphs }) => g ?? graphs))) return null;
  const isHalf = graph.initializers.some(({ dataType }) => dataType === ELEMENT.float16) || graph.inputs.some(({ tensor }) => tensor?.elementType === ELEMENT.float16);
  if (!isHalf) return null;
  try {
    const initializers = graph.initializers.map(widened);
    const nodes = graph.nodes.map((node): OnnxNode => ({ ...node, attributes: node.attributes.map(widenedAttribute) }));
    return withoutIdleCasts({ ...model, graph: { ...graph, initializers, nodes, inputs: graph.inputs.map(widenedValue), outputs: graph.outputs.map(widenedValue), valueInfos: [] } });
  } catch (error) {
    if (error instanceof NotPlain) return null;
    throw error;
  }
}

/** Bytes that the constants take more, widened. */
export const bytesMore = ({ graph }: OnnxModel): number => graph.initializers.reduce((sum, tensor) => (tensor.dataType === ELEMENT.float16 ? sum + (tensorBytes(tensor) ?? 0) : sum), 0);

function widened(tensor: OnnxTensor): OnnxTensor {
  if (tensor.dataType !== ELEMENT.float16) return tensor;
  if (tensor.data.kind === "typed" && tensor.data.field === NUMBERS) {
    const bytes = { length: 4 * elementCount(tensor.dims), from: [tensor.data.range], make: ([field = new Uint8Array(0)]: readonly Uint8Array[]) => bytesOf(Float32Array.from(numbersOf(field), halfToFloat)) };
    return { ...tensor, dataType: ELEMENT.float, data: { kind: "raw", bytes } };
  }
  const halves = plainElements(tensor);
  if (!halves || "make" in halves) throw new NotPlain();
  const bytes = { length: 2 * halves.length, from: [halves], each: { from: 2, to: 4 }, make: ([found = new Uint8Array(0)]: readonly Uint8Array[]) => bytesOf(halvesToFloats(found)) };
  return { ...tensor, dataType: ELEMENT.float, data: { kind: "raw", bytes } };
}

/** TensorProto's `int32_data`, where some converters put 16-bit floats, a number each. */
const NUMBERS = 5;

/** Of the encoded field: packed, or one after another. */
function numbersOf(field: Uint8Array): number[] {
  const numbers: number[] = [];
  const place = { at: 0 };
  const varint = (): number => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = field[place.at++] ?? 0;
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
      shift += 7;
    }
  };
  while (place.at < field.length) {
    const isPacked = (varint() & 7) === 2;
    const end = isPacked ? varint() + place.at : place.at + 1;
    while (place.at < end) numbers.push(varint());
  }
  return numbers;
}

function widenedAttribute(attribute: OnnxAttribute): OnnxAttribute {
  const { t, tensors, i } = attribute;
  if (tensors) throw new NotPlain();
  if (t) return { ...attribute, t: widened(t) };
  return TYPES.has(attribute.name) && i === HALF ? { ...attribute, i: FLOAT } : attribute;
}

function widenedValue(value: OnnxValue): OnnxValue {
  if (value.tensor?.elementType !== ELEMENT.float16) return value;
  return { name: value.name, tensor: { ...value.tensor, elementType: ELEMENT.float }, rest: value.rest };
}

/** Which of their inputs has the type of what comes out; others are not looked through. */
const TYPE_FROM: Readonly<Record<string, number>> = {
  MatMul: 0, MatMulNBits: 0, Gemm: 0, Add: 0, Sub: 0, Mul: 0, Div: 0, Pow: 0, Sqrt: 0, Neg: 0, Sigmoid: 0, Tanh: 0, Softmax: 0, Erf: 0, Gelu: 0, FastGelu: 0, QuickGelu: 0, ReduceMean: 0,
  Reshape: 0, Transpose: 0, Slice: 0, Concat: 0, Unsqueeze: 0, Squeeze: 0, Expand: 0, Gather: 0, Identity: 0, Where: 1, GatherBlockQuantized: 2, DequantizeLinear: 1,
  LayerNormalization: 0, SkipLayerNormalization: 0, SimplifiedLayerNormalization: 0, SkipSimplifiedLayerNormalization: 0, GroupQueryAttention: 0, MultiHeadAttention: 0, RotaryEmbedding: 0,
};

/** Casts of a 32-bit float to one. What they gave out takes the place of what they took where the graph gives it out itself. */
function withoutIdleCasts(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const types = new Map<string, number>();
  for (const { name, dataType } of graph.initializers) types.set(name, dataType);
  for (const { name, tensor } of graph.inputs) if (tensor) types.set(name, tensor.elementType);
  const given = new Set([...graph.outputs, ...graph.inputs].map(({ name }) => name));
  const renamed = new Map<string, string>();
  const kept = graph.nodes.filter((node) => {
    const [input = ""] = node.inputs;
    const [output = ""] = node.outputs;
    const to = intOf(node, "to");
    const from = TYPE_FROM[node.opType];
    const type = node.opType === "Cast" ? to : from === undefined ? undefined : types.get(node.inputs[from] ?? "");
    if (type !== undefined) for (const name of node.outputs) types.set(name, type);
    if (node.opType !== "Cast" || to !== ELEMENT.float || types.get(input) !== ELEMENT.float) return true;
    const source = renamed.get(input) ?? input;
    if (!given.has(output)) renamed.set(output, source);
    else if (given.has(source) || types.get(source) === undefined || graph.initializers.some(({ name }) => name === source)) return true;
    else {
      for (const [name, now] of renamed) if (now === source) renamed.set(name, output);
      renamed.set(source, output);
      given.add(source);
    }
    return false;
  });
  const now = (name: string): string => renamed.get(name) ?? name;
  return { ...model, graph: { ...graph, nodes: kept.map((node) => ({ ...node, inputs: node.inputs.map(now), outputs: node.outputs.map(now) })) } };
}
