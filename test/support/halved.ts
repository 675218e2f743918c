/** A graph of 32-bit floats as hubs have it for GPUs: constants, keys, values and logits of 16 bits. */
import { floatToHalf } from "../../client/runtime/graph/half.ts";
import { tensorOf } from "../../client/runtime/graph/tensors.ts";
import { ELEMENT, type OnnxModel, type OnnxTensor, type OnnxValue } from "../../schema/onnx/types.ts";

const halves = (floats: ArrayLike<number>): Uint8Array => new Uint8Array(Uint16Array.from(floats, floatToHalf).buffer);

export function halved({ graph, ...model }: OnnxModel): OnnxModel {
  const tensor = (given: OnnxTensor): OnnxTensor => {
    const { data } = given;
    if (given.dataType !== ELEMENT.float || data.kind !== "raw" || !(data.bytes instanceof Uint8Array)) return given;
    return tensorOf(given.name, ELEMENT.float16, given.dims, halves(new Float32Array(data.bytes.slice().buffer)));
  };
  const value = (given: OnnxValue): OnnxValue => (given.tensor?.elementType === ELEMENT.float ? { ...given, tensor: { ...given.tensor, elementType: ELEMENT.float16 } } : given);
  return { ...model, graph: { ...graph, initializers: graph.initializers.map(tensor), inputs: graph.inputs.map(value), outputs: graph.outputs.map(value) } };
}
