import { expect, test } from "vitest";
import { readDecoderIo } from "../../../../client/runtime/decode/decoder-io.ts";
import { NO_CONSTANTS } from "../../../../client/runtime/decode/plan-constants.ts";
import { planToken } from "../../../../client/runtime/decode/token-plan.ts";
import { intAttribute } from "../../../../client/runtime/graph/tensors.ts";
import type { OnnxGraph, OnnxNode } from "../../../../schema/onnx/types.ts";
import { blockDecoder } from "../../../support/block-decoder.ts";

const { graph } = blockDecoder();
const planningOf = (changed: OnnxGraph) => planToken(changed, readDecoderIo(changed), NO_CONSTANTS);
const planOf = (changed: OnnxGraph) => planningOf(changed).plan;
/** The graph with the first node of an operator changed. */
const changed = (opType: string, change: (node: OnnxNode) => OnnxNode): OnnxGraph => {
  const at = graph.nodes.findIndex((node) => node.opType === opType);
  return { ...graph, nodes: graph.nodes.map((node, index) => (index === at ? change(node) : node)) };
};

test("a decoder in blocks has a plan, without what only says lengths", () => {
  const plan = planOf(graph);
  const layer = ["product", "attention", "product", "add", "normalize", "product", "product", "siluMul", "product", "add", "normalize"];
  expect(plan?.steps.map(({ kind }) => kind)).toEqual(["normalize", ...layer, ...layer, "product"]);
  expect(plan?.embedding).toMatchObject({ output: "x0", size: 64, table: { kind: "blocks", zeros: null, rows: { name: "head.q" } } });
  expect(plan?.lengths.get("logits")).toBe(128);
  expect(plan?.positions).toBe(512);
});

test("joined queries, keys and values are parts of one", () => {
  const attention = planOf(graph)?.steps.find((step) => step.kind === "attention");
  expect(attention).toMatchObject({ query: { name: "qkv0", from: 0 }, key: { name: "qkv0", from: 64 }, value: { name: "qkv0", from: 96 }, pastKey: "past_key_values.0.key" });
});

test("where a norm states no epsilon, it has the one that onnxruntime takes for its operator", () => {
  const unstated = { ...graph, nodes: graph.nodes.map((node) => (node.opType.endsWith("LayerNormalization") ? { ...node, attributes: [] } : node)) };
  expect(planOf(unstated)?.steps.flatMap((step) => (step.kind === "normalize" ? [step.epsilon] : []))).toEqual([1e-5, 1e-12, 1e-12, 1e-12, 1e-12]);
});

test.each([
  ["an operator that isn't known", changed("Sigmoid", (node) => ({ ...node, opType: "Erf" })), "Erf"],
  ["blocks of another size", changed("MatMulNBits", (node) => ({ ...node, attributes: node.attributes.map((attribute) => (attribute.name === "block_size" ? intAttribute("block_size", 16) : attribute)) })), "MatMulNBits"],
  ["an attention window of nothing", changed("GroupQueryAttention", (node) => ({ ...node, attributes: [...node.attributes, intAttribute("local_window_size", 0)] })), "GroupQueryAttention"],
  ["rotation of neighbours", changed("GroupQueryAttention", (node) => ({ ...node, attributes: [...node.attributes, intAttribute("rotary_interleaved", 1)] })), "GroupQueryAttention"],
  ["a factor of another length", changed("Mul", (node) => ({ ...node, inputs: ["gate0", "n0"] })), "Mul"],
  ["embeddings of 4 bits", changed("GatherBlockQuantized", (node) => ({ ...node, attributes: [] })), "GatherBlockQuantized"],
])("a model with %s has none, and says why", (_, other, operator) => {
  expect(planningOf(other)).toEqual({ plan: null, why: `there is none for its ${operator}` });
});
