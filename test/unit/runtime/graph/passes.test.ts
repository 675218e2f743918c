import { describe, expect, test } from "vitest";
import { externalize } from "../../../../client/runtime/graph/externalize.ts";
import { blockBytes, expandBlocks, expandedBytes } from "../../../../client/runtime/graph/expand-blocks.ts";
import { lastPositionOnly } from "../../../../client/runtime/graph/last-position.ts";
import { TOP_OUTPUTS, withTopCandidates } from "../../../../client/runtime/graph/top-candidates.ts";
import { intAttribute, tensorOf } from "../../../../client/runtime/graph/tensors.ts";
import { ELEMENT, type OnnxModel, type OnnxNode } from "../../../../schema/onnx/types.ts";
import { payloadBytes } from "../../../../schema/onnx/write.ts";
import { modelOf, node, NOTHING } from "../../onnx/models.ts";

/** One product of 32 inputs with 2 outputs: all weights 9 − 8 = 1, times a scale. */
const product = (more: Partial<OnnxNode> & { readonly groups?: string; readonly bias?: string } = {}): OnnxModel => {
  const { groups = "", bias = "", ...rest } = more;
  const inputs = ["x", "q", "s", "", groups, bias];
  return modelOf({
    nodes: [node("MatMulNBits", bias || groups ? inputs : inputs.slice(0, 3), ["logits"], { name: "head", domain: "com.microsoft", attributes: [intAttribute("K", 32), intAttribute("N", 2), intAttribute("bits", 4), intAttribute("block_size", 32)], ...rest })],
    initializers: [
      tensorOf("q", ELEMENT.uint8, [2, 1, 16], new Uint8Array(32).fill(0x99)),
      tensorOf("s", ELEMENT.float, [2], new Uint8Array(Float32Array.of(0.5, 2).buffer)),
      ...(bias ? [tensorOf("b", ELEMENT.float, [2], new Uint8Array(8))] : []),
    ],
    outputs: [{ name: "logits", tensor: { elementType: ELEMENT.float, shape: ["b", "s", 2] }, rest: NOTHING }],
    valueInfos: [new Uint8Array([10, 1, 97])],
  });
};

const floats = (bytes: Uint8Array) => [...new Float32Array(bytes.slice().buffer)];
const bytesOf = (model: OnnxModel, name: string) => {
  const data = model.graph.initializers.find((tensor) => tensor.name === name)?.data;
  if (data?.kind !== "raw") throw new Error(`${name} is not there`);
  return payloadBytes(data.bytes, () => NOTHING);
};

describe("weights in blocks", () => {
  test("become a product with full weights, and the blocks go", () => {
    const { graph } = expandBlocks(product(), "float32");
    expect(graph.nodes.map(({ opType, inputs, outputs }) => ({ opType, inputs, outputs }))).toEqual([{ opType: "MatMul", inputs: ["x", "head/weights"], outputs: ["logits"] }]);
    expect(graph.initializers.map(({ name, dims }) => ({ name, dims }))).toEqual([{ name: "head/weights", dims: [32, 2] }]);
    expect(floats(bytesOf(expandBlocks(product(), "float32"), "head/weights"))).toEqual(Array.from({ length: 64 }, (_, at) => (at % 2 === 0 ? 0.5 : 2)));
    expect([blockBytes(product()), expandedBytes(product(), "float32"), expandedBytes(product(), "int8")]).toEqual([40, 256, 64]);
  });

  test("become 8-bit ones with a scale per output", () => {
    const model = expandBlocks(product(), "int8");
    expect(model.graph.nodes[0]).toMatchObject({ opType: "DynamicQuantizeMatMul", domain: "com.microsoft", inputs: ["x", "head/weights", "head/weights/scales"] });
    expect(floats(bytesOf(model, "head/weights/scales")).map((scale) => scale * 127)).toEqual([0.5, 2].map((value) => expect.closeTo(value, 4)));
    expect(new Set(bytesOf(model, "head/weights"))).toEqual(new Set([127]));
  });

  test("a bias is added after", () => {
    const { nodes } = expandBlocks(product({ bias: "b" }), "float32").graph;
    expect(nodes.map(({ opType, inputs, outputs }) => [opType, inputs.at(-1), outputs[0]])).toEqual([["MatMul", "head/weights", "logits/product"], ["Add", "b", "logits"]]);
  });

  test.each([
    ["permuted columns", { groups: "g" }],
    ["3 bits", { attributes: [intAttribute("K", 32), intAttribute("N", 2), intAttribute("bits", 3), intAttribute("block_size", 32)] }],
    ["sizes that are not the tensors'", { attributes: [intAttribute("K", 320), intAttribute("N", 2), intAttribute("bits", 4), intAttribute("block_size", 32)] }],
    ["another vendor's operator", { domain: "com.example" }],
  ])("%s stay as they are", (_, more) => {
    const model = product(more);
    expect(expandBlocks(model, "float32").graph.nodes).toEqual(model.graph.nodes);
    expect(expandedBytes(model, "float32")).toBe(0);
  });
});

describe("logits of the last position", () => {
  const tail = (nodes: OnnxNode[]): OnnxModel => modelOf({ ...product().graph, nodes });
  const shapeOf = ({ graph }: OnnxModel) => graph.nodes.map(({ opType, inputs, outputs }) => [opType, inputs[0], outputs[0]]);

  test("the row is picked before the product", () => {
    const model = lastPositionOnly(product(), "logits");
    expect(shapeOf(model)).toEqual([["Gather", "x", "leasehold/last"], ["MatMulNBits", "leasehold/last", "logits"]]);
    expect(model.graph.valueInfos).toEqual([]);
    expect(model.graph.outputs[0]?.tensor).toEqual({ elementType: ELEMENT.float, shape: null });
  });

  test("through what works on rows one by one", () => {
    const model = tail([node("MatMul", ["x", "w"], ["y"]), node("Tanh", ["y"], ["z"]), node("Cast", ["z"], ["logits"])]);
    expect(shapeOf(lastPositionOnly(model, "logits"))).toEqual([["Gather", "x", "leasehold/last"], ["MatMul", "leasehold/last", "y"], ["Tanh", "y", "z"], ["Cast", "z", "logits"]]);
  });

  test("at the end, where something else with rows comes in", () => {
    const model = tail([node("MatMul", ["x", "w"], ["y"]), node("MatMul", ["x", "v"], ["other"]), node("Add", ["y", "other"], ["logits"])]);
    expect(shapeOf(lastPositionOnly(model, "logits")).slice(2)).toEqual([["Add", "y", "leasehold/last"], ["Gather", "leasehold/last", "logits"]]);
  });

  test("at the end, where rows may mix", () => {
    const model = tail([node("MatMul", ["x", "w"], ["y"]), node("Softmax", ["y"], ["logits"])]);
    expect(shapeOf(lastPositionOnly(model, "logits"))).toEqual([["MatMul", "x", "y"], ["Softmax", "y", "leasehold/last"], ["Gather", "leasehold/last", "logits"]]);
  });
});

test("weights move out of the file, those of graphs in graphs too, and small constants stay", () => {
  const large = (name: string) => tensorOf(name, ELEMENT.uint8, [2000], new Uint8Array(2000).fill(name.length));
  const inner = modelOf({ initializers: [large("inner")] }).graph;
  const far = { ...large("far"), data: { kind: "external", location: "model.onnx_data", offset: 64, length: 2000 } as const };
  const model = modelOf({
    nodes: [node("If", ["c"], ["y"], { attributes: [{ name: "then_branch", type: 5, g: inner, rest: NOTHING }] })],
    initializers: [large("w"), tensorOf("small", ELEMENT.uint8, [4], new Uint8Array(4)), far],
  });
  const { model: moved, weights, length } = externalize(model, "weights");
  expect(moved.graph.initializers.map(({ data }) => data.kind)).toEqual(["external", "raw", "external"]);
  expect(moved.graph.nodes[0]?.attributes[0]?.g?.initializers[0]?.data).toEqual({ kind: "external", location: "weights", offset: 4000, length: 2000 });
  expect(length).toBe(6000);
  expect(weights.get(2000)).toEqual({ file: "model.onnx_data", offset: 64, length: 2000 });
});

test.each([17, 18])("the likeliest tokens become outputs of their own, with opset %i", (version) => {
  const { graph } = withTopCandidates({ ...product(), opsets: [{ domain: "", version }] }, "logits", ELEMENT.float);
  expect(graph.outputs.map(({ name }) => name)).toEqual(["logits", TOP_OUTPUTS.ids, TOP_OUTPUTS.logits, TOP_OUTPUTS.logSumExp]);
  const [, top, sum] = graph.nodes;
  expect([top?.opType, top?.inputs[0], top?.outputs]).toEqual(["TopK", "logits", [TOP_OUTPUTS.logits, TOP_OUTPUTS.ids]]);
  const axes = sum?.attributes.find(({ name }) => name === "axes")?.ints;
  expect([sum?.inputs.length, axes]).toEqual(version === 17 ? [1, [-1n]] : [2, undefined]);
});
