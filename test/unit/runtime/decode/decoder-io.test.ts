import { describe, expect, test } from "vitest";
import { readDecoderIo } from "../../../../client/runtime/decode/decoder-io.ts";
import { LeaseholdError } from "../../../../client/errors.ts";
import { readOnnx } from "../../../../schema/onnx/read.ts";
import { bytesSource } from "../../../../schema/onnx/source.ts";
import { ELEMENT, type Dimension, type OnnxGraph } from "../../../../schema/onnx/types.ts";
import { modelOf, node, NOTHING, stories } from "../../onnx/models.ts";

const value = (name: string, elementType: number, shape: readonly Dimension[]) => ({ name, tensor: { elementType, shape }, rest: NOTHING });

function graphOf({ past = "past_key_values", present = "present", kvType = ELEMENT.float as number, more = [] as string[], nodes = [] as OnnxGraph["nodes"] } = {}): OnnxGraph {
  const kv = ["0.key", "0.value"];
  return modelOf({
    nodes,
    inputs: [value("input_ids", ELEMENT.int64, ["b", "s"]), ...kv.map((name) => value(`${past}.${name}`, kvType, ["b", 3, "p", 64])), ...more.map((name) => value(name, ELEMENT.int64, ["b", "s"]))],
    outputs: [value("logits", kvType, ["b", "s", 512]), ...kv.map((name) => value(`${present}.${name}`, kvType, ["b", 3, "t", 64]))],
  }).graph;
}

const fault = (graph: OnnxGraph): string => {
  try {
    readDecoderIo(graph);
    return "none";
  } catch (error) {
    if (error instanceof LeaseholdError && error.code === "model-invalid") return error.message;
    throw error;
  }
};

describe("a decoder's inputs and outputs", () => {
  test("those of a real model are found", async ({ skip }) => {
    const file = stories();
    if (!file) return skip("the models next to the checkout are not there");
    const io = readDecoderIo((await readOnnx(bytesSource(file))).graph);
    expect(io).toMatchObject({ mask: "attention_mask", positions: null, attention: "grouped", vocabulary: 512, kvType: "float32", idType: "int64" });
    expect(io.kv).toHaveLength(10);
    expect(io.kv[9]).toEqual({ past: "past_key_values.4.value", present: "present.4.value", heads: 4, headSize: 16 });
  });

  test.each([
    ["fp16 keys and values", { kvType: ELEMENT.float16 as number }, { kvType: "float16", logitsType: "float16" }],
    ["names of older exports", { past: "past", present: "present" }, { kv: [{ past: "past.0.key", present: "present.0.key" }, {}] }],
    ["position_ids", { more: ["attention_mask", "position_ids"] }, { positions: "position_ids", mask: "attention_mask" }],
    ["num_logits_to_keep", { more: ["num_logits_to_keep"] }, { logitsToKeep: "num_logits_to_keep" }],
    ["KV by concatenation", {}, { attention: "concatenating" }],
    ["grouped attention", { nodes: [node("GroupQueryAttention", ["q", "k", "v", "past_key_values.0.key", "past_key_values.0.value"], ["a"])] }, { attention: "grouped" }],
  ])("%s", (_, shape, expected) => {
    expect(readDecoderIo(graphOf(shape))).toMatchObject(expected);
  });

  test("an input that it can't fill is named", () => {
    expect(fault(graphOf({ more: ["encoder_hidden_states"] }))).toContain("encoder_hidden_states");
    expect(fault(graphOf({ present: "now" }))).toContain("past_key_values.0.key");
    expect(fault(graphOf({ kvType: ELEMENT.int8 }))).toContain("neither float32 nor float16");
    expect(fault({ ...graphOf(), inputs: graphOf().inputs.slice(0, 1) })).toContain("no past_key_values");
  });
});
