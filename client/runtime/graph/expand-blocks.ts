/**
 * `MatMulNBits` → `MatMul` with full weights, or `DynamicQuantizeMatMul` with 8-bit ones. Pure.
 *
 * - Why: onnxruntime-web has no WASM kernel for it and expands the whole matrix on every call, nine tenths of a
 *   token's time. With full weights the same tokens come out, ten times as fast, at eight times the memory; 8-bit
 *   weights round once more, so some tokens differ.
 * - What it can't take (permuted columns by `g_idx`, other widths, weights that are no constants) stays as it is.
 * - Weights are made when the session asks for them, one matrix at a time.
 */
import { ELEMENT, type DerivedBytes, type OnnxModel, type OnnxNode, type OnnxTensor, type Payload } from "../../../schema/onnx/types.ts";
import { blocksPerRow, dequantize, quantizedBytes, requantize, zeroPointBytes, type Blocks, type BlockShape } from "./blocks.ts";
import { pruneInitializers } from "./prune.ts";
import { asFloats, bytesOf, intOf, nodeOf, plainElements, tensorOf } from "./tensors.ts";

export type Expansion = "float32" | "int8";

export interface Weights {
  readonly shape: BlockShape;
  /** The blocks, their scales (32-bit floats), and their zero points where they have some. */
  readonly tensors: readonly [OnnxTensor, OnnxTensor, OnnxTensor | null];
  readonly from: readonly Payload[];
  /** From the bytes of `from`, in that order. */
  readonly read: (inputs: readonly Uint8Array[]) => Blocks;
}

export function expandBlocks(model: OnnxModel, to: Expansion): OnnxModel {
  const { graph } = model;
  const tensors = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const added: OnnxTensor[] = [];
  const nodes = graph.nodes.flatMap((node, index): OnnxNode[] => {
    const weights = readWeights(node, tensors);
    if (!weights) return [node];
    const [input = "", , , , , bias = ""] = node.inputs;
    const [output = ""] = node.outputs;
    const { n, k } = weights.shape;
    const name = `${node.name || index}/weights`;
    const product = bias === "" ? output : `${output}/product`;
    const add = bias === "" ? [] : [nodeOf("Add", `${node.name}/bias`, [product, bias], [output])];
    if (to === "float32") {
      added.push(tensorOf(name, ELEMENT.float, [k, n], made(weights, 4 * k * n, (blocks) => bytesOf(dequantize(weights.shape, blocks)))));
      return [nodeOf("MatMul", node.name, [input, name], [product]), ...add];
    }
    const scales = `${name}/scales`;
    added.push(
      tensorOf(name, ELEMENT.int8, [k, n], made(weights, k * n, (blocks) => bytesOf(requantize(weights.shape, blocks).weights))),
      tensorOf(scales, ELEMENT.float, [n], made(weights, 4 * n, (blocks) => bytesOf(requantize(weights.shape, blocks).scales))),
    );
    return [nodeOf("DynamicQuantizeMatMul", node.name, [input, name, scales], [product], [], "com.microsoft"), ...add];
  });
  return pruneInitializers({ ...model, graph: { ...graph, nodes, initializers: [...graph.initializers, ...added] } });
}

/** Bytes that the weights would take, expanded so. */
export function expandedBytes({ graph }: OnnxModel, to: Expansion): number {
  const tensors = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  return graph.nodes.reduce((sum, node) => {
    const weights = readWeights(node, tensors);
    return weights ? sum + weights.shape.n * weights.shape.k * (to === "float32" ? 4 : 1) : sum;
  }, 0);
}

/** Bytes that the weights take in their blocks. */
export function blockBytes({ graph }: OnnxModel): number {
  const tensors = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  return graph.nodes.reduce((sum, node) => sum + (readWeights(node, tensors)?.from.reduce((bytes, { length }) => bytes + length, 0) ?? 0), 0);
}

const made = ({ from, read }: Weights, length: number, make: (blocks: Blocks) => Uint8Array): DerivedBytes => ({
  length,
  from: from.filter((payload): payload is Exclude<Payload, DerivedBytes> => !("make" in payload)),
  make: (inputs) => make(read(inputs)),
});

export function readWeights(node: OnnxNode, tensors: ReadonlyMap<string, OnnxTensor>): Weights | null {
  if (node.opType !== "MatMulNBits" || node.domain !== "com.microsoft") return null;
  const [, quantizedName = "", scalesName = "", zeroName = "", groupName = ""] = node.inputs;
  const n = intOf(node, "N") ?? 0;
  const k = intOf(node, "K") ?? 0;
  const bits = intOf(node, "bits") ?? 4;
  const blockSize = intOf(node, "block_size") ?? 0;
  if (groupName !== "" || n < 1 || k < 1 || blockSize < 16 || (bits !== 4 && bits !== 8)) return null;
  const shape: BlockShape = { n, k, bits, blockSize };

  const quantized = tensors.get(quantizedName);
  const scales = tensors.get(scalesName);
  const zeros = zeroName === "" ? null : tensors.get(zeroName);
  if (!quantized || !scales || zeros === undefined || scales.dataType !== ELEMENT.float) return null;
  const payloads = [quantized, scales, ...(zeros ? [zeros] : [])].map(plainElements);
  const [quantizedAt, scalesAt, zerosAt] = payloads;
  const blockCount = n * blocksPerRow(shape);
  const zerosArePacked = zeros?.dataType === ELEMENT.uint8;
  if (quantizedAt?.length !== quantizedBytes(shape) || scalesAt?.length !== 4 * blockCount) return null;
  if (zeros && zerosAt?.length !== (zerosArePacked ? zeroPointBytes(shape) : 4 * blockCount)) return null;
  return {
    shape,
    tensors: [quantized, scales, zeros],
    from: payloads.filter((payload) => payload !== null),
    read: ([first = new Uint8Array(), second = new Uint8Array(), third]) => ({
      quantized: first,
      scales: asFloats(scales.dataType, second),
      zeroPoints: third && zeros ? (zerosArePacked ? third : asFloats(zeros.dataType, third)) : null,
    }),
  };
}
