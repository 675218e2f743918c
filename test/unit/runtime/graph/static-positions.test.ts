import { expect, it } from "vitest";
import { ELEMENT, type OnnxModel } from "../../../../schema/onnx/types.ts";
import { CAPACITY, SEQUENCE_LENGTH, withStaticPositions } from "../../../../client/runtime/graph/static-positions.ts";
import { modelOf, node, NOTHING } from "../../onnx/models.ts";

const input = (name: string) => ({ name, tensor: { elementType: ELEMENT.int64, shape: ["b", "t"] }, rest: NOTHING });
const output = (name: string) => ({ name, rest: NOTHING });

/** Grouped attention that takes its lengths from a mask, by way of two nodes. */
const decoder = (more: Partial<OnnxModel["graph"]> = {}) =>
  modelOf({
    inputs: [input("input_ids"), input("attention_mask")],
    nodes: [
      node("ReduceSum", ["attention_mask"], ["sum"]),
      node("Shape", ["attention_mask"], ["total"]),
      node("GroupQueryAttention", ["q", "k", "v", "past_key_values.0.key", "past_key_values.0.value", "sum", "total", "cos"], ["logits"], { domain: "com.microsoft" }),
    ],
    outputs: [output("logits")],
    ...more,
  });

it("takes the lengths and the room as inputs, and drops what made them of the mask", () => {
  const { graph } = withStaticPositions(decoder(), "attention_mask") ?? modelOf({});
  expect(graph.inputs.map(({ name }) => name)).toEqual(["input_ids", SEQUENCE_LENGTH, CAPACITY]);
  expect(graph.nodes.map(({ opType }) => opType)).toEqual(["GroupQueryAttention"]);
  const [, , , , , ...last] = graph.nodes[0]?.inputs ?? [];
  expect(last).toEqual([SEQUENCE_LENGTH, CAPACITY, "cos"]);
});

it("leaves a graph alone whose mask says more than the lengths", () => {
  const nodes = [...decoder().graph.nodes, node("Cast", ["attention_mask"], ["weights"])];
  expect(withStaticPositions(decoder({ nodes, outputs: [output("logits"), output("weights")] }), "attention_mask")).toBeNull();
});
