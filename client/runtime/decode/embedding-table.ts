/** A decoder's embeddings, where the kernels can read them: rows in blocks, or in full. Pure. */
import { ELEMENT, elementCount, type OnnxGraph, type OnnxNode, type OnnxTensor } from "../../../schema/onnx/types.ts";
import { intOf, plainElements } from "../graph/tensors.ts";
import { BLOCK } from "../kernels/kernels.ts";

export interface BlockTable {
  readonly kind: "blocks";
  readonly bits: 4 | 8;
  /** [vocabulary, size], of 4 bits two in a byte. */
  readonly rows: OnnxTensor;
  /** One for each 32. */
  readonly scales: OnnxTensor;
  readonly zeros: OnnxTensor | null;
}

/** 32-bit floats, [vocabulary, size]. */
export interface FloatTable {
  readonly kind: "floats";
  readonly rows: OnnxTensor;
}

export interface Embedding {
  readonly output: string;
  readonly table: BlockTable | FloatTable;
  readonly vocabulary: number;
  readonly size: number;
}

type Table = Omit<Embedding, "output">;
type Constants = ReadonlyMap<string, OnnxTensor>;

/** `null` where the node does more than take the rows of these ids, or they lie otherwise. */
export function readTable(node: OnnxNode, graph: OnnxGraph, constants: Constants, ids: string): Table | null {
  if (node.inputs[1] !== ids) return null;
  return node.opType === "Gather" ? floatTable(node, constants) : blockTable(node, graph, constants);
}

function blockTable(node: OnnxNode, graph: OnnxGraph, constants: Constants): Table | null {
  const [data = "", , scaleName = "", zeroName = ""] = node.inputs;
  const reshape = graph.nodes.find(({ outputs }) => outputs.includes(data));
  const rows = constants.get(reshape?.inputs[0] ?? data);
  const scales = constants.get(scaleName);
  if (!rows || scales?.dataType !== ELEMENT.float || rows.dataType !== ELEMENT.uint8) return null;
  const bits = intOf(node, "bits") ?? 4;
  if ((bits !== 4 && bits !== 8) || intOf(node, "block_size") !== BLOCK || (intOf(node, "gather_axis") ?? 0) !== 0 || intOf(node, "quantize_axis") !== 1) return null;
  const [vocabulary = 0, blocks = 0] = scales.dims;
  const size = blocks * BLOCK;
  const zeros = zeroName === "" ? null : constants.get(zeroName);
  if (zeros === undefined || (size * vocabulary * bits) / 8 !== elementCount(rows.dims)) return null;
  if (zeros && (bits === 4 || zeros.dataType !== ELEMENT.uint8 || elementCount(zeros.dims) !== vocabulary * blocks)) return null;
  if (![rows, scales, ...(zeros ? [zeros] : [])].every(plainElements)) return null;
  return { table: { kind: "blocks", bits, rows, scales, zeros }, vocabulary, size };
}

function floatTable(node: OnnxNode, constants: Constants): Table | null {
  const rows = constants.get(node.inputs[0] ?? "");
  if (rows?.dataType !== ELEMENT.float || rows.dims.length !== 2 || !plainElements(rows) || (intOf(node, "axis") ?? 0) !== 0) return null;
  const [vocabulary = 0, size = 0] = rows.dims;
  return { table: { kind: "floats", rows }, vocabulary, size };
}
