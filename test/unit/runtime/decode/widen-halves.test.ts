import { describe, expect, test } from "vitest";
import { readDecoderIo } from "../../../../client/runtime/decode/decoder-io.ts";
import { openDecoder } from "../../../../client/runtime/decode/open-decoder.ts";
import { NO_CONSTANTS } from "../../../../client/runtime/decode/plan-constants.ts";
import { planToken } from "../../../../client/runtime/decode/token-plan.ts";
import { floatToHalf, halfToFloat } from "../../../../client/runtime/graph/half.ts";
import { intAttribute, tensorOf } from "../../../../client/runtime/graph/tensors.ts";
import { bytesMore, widenHalves } from "../../../../client/runtime/graph/widen-halves.ts";
import { ModelFiles } from "../../../../client/runtime/tasks/model-files.ts";
import { ELEMENT, type OnnxModel, type OnnxNode, type OnnxTensor } from "../../../../schema/onnx/types.ts";
import { payloadBytes } from "../../../../schema/onnx/write.ts";
import { BLOCK_DECODER_CONFIG, blockDecoder, fileOf } from "../../../support/block-decoder.ts";
import { halved } from "../../../support/halved.ts";
import { modelOf, node, NOTHING } from "../../onnx/models.ts";

const half = (name: string, ...values: number[]): OnnxTensor => tensorOf(name, ELEMENT.float16, [values.length], new Uint8Array(Uint16Array.from(values, floatToHalf).buffer));
const floatsOf = ({ graph }: OnnxModel, name: string) => {
  const data = graph.initializers.find((tensor) => tensor.name === name)?.data;
  return data?.kind === "raw" ? [...new Float32Array(payloadBytes(data.bytes, () => NOTHING).slice().buffer)] : null;
};
const value = (name: string, elementType: number) => ({ name, tensor: { elementType, shape: ["n"] }, type: new Uint8Array([1]), rest: NOTHING });
const cast = (from: string, to: string, type: number): OnnxNode => node("Cast", [from], [to], { attributes: [intAttribute("to", type)] });
const wired = ({ graph }: OnnxModel) => graph.nodes.map(({ opType, inputs, outputs }) => [opType, ...inputs, "→", ...outputs].join(" "));
const modelWith = (nodes: OnnxNode[], output = "y"): OnnxModel => modelOf({ nodes, initializers: [half("w", 0.1, -2, 65_504)], inputs: [value("x", ELEMENT.float16)], outputs: [value(output, ELEMENT.float)] });

const planOf = ({ graph }: OnnxModel) => planToken(graph, readDecoderIo(graph), NO_CONSTANTS).plan;

describe("a graph of 16-bit floats", () => {
  test("has 32 bits in its constants, its casts, what it takes and what it gives", () => {
    const model = modelWith([cast("ids", "f", ELEMENT.float16), node("Constant", [], ["c"], { attributes: [{ name: "value", type: 4, t: half("", 3), rest: NOTHING }] }), node("Mul", ["f", "w"], ["y"])]);
    const wide = widenHalves(model) ?? modelOf({});
    expect(floatsOf(wide, "w")).toEqual([halfToFloat(floatToHalf(0.1)), -2, 65_504]);
    expect(wide.graph.initializers[0]).toMatchObject({ dataType: ELEMENT.float, dims: [3] });
    expect(wide.graph.inputs).toEqual([{ name: "x", tensor: { elementType: ELEMENT.float, shape: ["n"] }, rest: NOTHING }]);
    expect(wide.graph.nodes[0]?.attributes[0]?.i).toBe(BigInt(ELEMENT.float));
    expect(wide.graph.nodes[1]?.attributes[0]?.t?.dataType).toBe(ELEMENT.float);
    expect(bytesMore(model)).toBe(6);
  });

  test.each([
    ["packed", [42, 5, 128, 120, 128, 128, 3, 0]],
    ["one after another", [40, 128, 120, 40, 128, 128, 3, 40, 0]],
  ])("has the numbers of constants that are stored as whole ones, %s", async (_, field) => {
    const bytes = Uint8Array.from(field);
    const data = { kind: "typed", field: 5, range: { offset: 0, length: bytes.length } } as const;
    const wide = widenHalves({ ...modelWith([]), graph: { ...modelWith([]).graph, initializers: [{ name: "n", dataType: ELEMENT.float16, dims: [3], data, rest: NOTHING }] } });
    const found = wide?.graph.initializers[0]?.data;
    if (found?.kind !== "raw") throw new Error("it is not there");
    expect([...new Float32Array(payloadBytes(found.bytes, () => bytes).slice().buffer)]).toEqual([1, -2, 0]);
  });

  test.each<[string, OnnxNode[], string[]]>([
    ["between", [cast("x", "a", ELEMENT.float), node("Mul", ["a", "a"], ["b"]), cast("b", "c", ELEMENT.float16), node("Add", ["c", "w"], ["y"])], ["Mul x x → b", "Add b w → y"]],
    ["at the end", [node("Mul", ["x", "w"], ["a"]), cast("a", "y", ELEMENT.float)], ["Mul x w → y"]],
    ["at the end, of what is used beside", [node("Mul", ["x", "w"], ["a"]), cast("a", "y", ELEMENT.float), node("Neg", ["a"], ["b"])], ["Mul x w → y", "Neg y → b"]],
    ["one after another", [cast("x", "a", ELEMENT.float), cast("a", "b", ELEMENT.float16), node("Neg", ["b"], ["y"])], ["Neg x → y"]],
  ])("loses casts that change nothing any more: %s", (_, nodes, expected) => {
    expect(wired(widenHalves(modelWith(nodes)) ?? modelOf({}))).toEqual(expected);
  });

  test.each<[string, OnnxNode[]]>([
    ["of whole numbers", [node("Shape", ["x"], ["a"]), cast("a", "y", ELEMENT.float)]],
    ["of what isn't known", [node("Mystery", ["x"], ["a"]), cast("a", "y", ELEMENT.float)]],
    ["from what it takes to what it gives", [cast("x", "y", ELEMENT.float)]],
  ])("keeps casts %s", (_, nodes) => {
    expect(wired(widenHalves(modelWith(nodes)) ?? modelOf({}))).toEqual(wired(modelWith(nodes)));
  });

  test.each<[string, OnnxModel]>([
    ["none of them", modelOf({ nodes: [node("Neg", ["x"], ["y"])], inputs: [value("x", ELEMENT.float)] })],
    ["a graph inside of a node", modelWith([node("If", ["x"], ["y"], { attributes: [{ name: "then_branch", type: 5, g: modelOf({}).graph, rest: NOTHING }] })])],
  ])("with %s stays as it is", (_, model) => {
    expect(widenHalves(model)).toBeNull();
  });
});

test("a decoder of 16 bits has the plan of one of 32, and says what that says with its constants rounded", async () => {
  const sixteen = halved(blockDecoder());
  expect(planOf(sixteen)).toBeNull();
  const rounded = widenHalves(sixteen) ?? sixteen;
  expect(planOf(rounded)?.steps.map(({ kind }) => kind)).toEqual(planOf(blockDecoder())?.steps.map(({ kind }) => kind));

  const steps = async () => undefined;
  const logitsOf = async (model: OnnxModel): Promise<{ logits: Float32Array; description: string }> => {
    const files = new ModelFiles([{ path: "config.json", parts: [new TextEncoder().encode(JSON.stringify(BLOCK_DECODER_CONFIG))] }, { path: "model.onnx", parts: [fileOf(model)] }]);
    const engine = { backend: "wasm", threads: 1, areThreadsFixed: true, start: () => Promise.reject(new Error("no engine is needed")) } as const;
    const decoder = await openDecoder(files, engine, { memoryBytes: 1e9 }, steps);
    const next = await decoder.feed(Int32Array.from({ length: 70 }, (_, at) => (at * 37) % 128), steps);
    return { logits: await next.logits(), description: decoder.description };
  };
  const [of16, of32] = [await logitsOf(sixteen), await logitsOf(rounded)];
  expect(of16).toEqual(of32);
  expect(of16.description).toMatch(/; kernels; /);
});
