/** Hostile models in a real worker: refused by the code that says why, before onnxruntime sees a byte of them. */
import { expect, test } from "vitest";
import { LeaseholdError } from "../../../client/errors.ts";
import { loadRuntime, type LoadOptions } from "../../../client/runtime/host.ts";
import { concat } from "../../../schema/onnx/concat.ts";
import { ELEMENT, type OnnxGraph, type OnnxModel, type OnnxTensor } from "../../../schema/onnx/types.ts";
import { madeModel, madeNode, modelBytes } from "../../support/onnx.ts";

const NOTHING = new Uint8Array(0);
const value = (name: string, elementType: number, shape: readonly number[]) => ({ name, tensor: { elementType, shape }, rest: NOTHING });
const [x, y, yes] = [value("x", ELEMENT.float, [1]), value("y", ELEMENT.float, [1]), value("yes", ELEMENT.bool, [])];
const weights = (more: Partial<OnnxTensor>): OnnxModel => madeModel({ initializers: [{ name: "w", dataType: 1, dims: [4], data: { kind: "none" }, rest: NOTHING, ...more }] });
const outside = (location: string, offset = 0) => weights({ data: { kind: "external", location, offset, length: 16 } });

const branch = (opType: string, more: Partial<OnnxGraph> = {}): OnnxGraph => madeModel({ name: opType, nodes: [madeNode(opType, ["x"], ["out"])], outputs: [value("out", ELEMENT.float, [1])], ...more }).graph;
/** y = yes ? −x : |x| */
const conditional = madeModel({
  nodes: [madeNode("If", ["yes"], ["y"], { attributes: [{ name: "then_branch", type: 5, g: branch("Neg"), rest: NOTHING }, { name: "else_branch", type: 5, g: branch("Abs"), rest: NOTHING }] })],
  inputs: [x, yes], outputs: [y],
});

function load(model: OnnxModel | Uint8Array<ArrayBuffer>, more: Partial<LoadOptions> = {}) {
  const bytes = model instanceof Uint8Array ? model : modelBytes(model);
  const files = [{ path: "onnx/model.onnx", blob: new Blob([bytes]) }, { path: "onnx/weights.bin", blob: new Blob([new Uint8Array(16)]) }];
  return loadRuntime({ task: "raw", files, backend: "wasm", ...more });
}

test.each<[string, OnnxModel | Uint8Array<ArrayBuffer>, string]>([
  ["control flow", conditional, "model-control-flow"],
  ["a ring", madeModel({ nodes: [madeNode("Relu", ["b"], ["a"]), madeNode("Relu", ["a"], ["b"])] }), "model-graph-invalid"],
  ["gigabytes made of nothing", weights({ dims: [2 ** 28] }), "model-size-mismatch"],
  ["dims beyond counting", weights({ dims: [2 ** 40, 2 ** 40] }), "model-dims-invalid"],
  ["a path out of its folder", outside("../weights.bin"), "model-external-path"],
  ["an address in the engine's memory", outside("*/_ORT_MEM_ADDR_/*", 1024), "model-external-path"],
  ["data beyond the end of their file", outside("weights.bin", 8), "model-external-range"],
  ["what onnxruntime would take for its own format", concat([new Uint8Array([0x32, 6, 0x20, 0x20, ...new TextEncoder().encode("ORTM")]), modelBytes(madeModel({}))]) as Uint8Array<ArrayBuffer>, "model-unreadable"],
  ["a second graph in the same field", new Uint8Array([0x3a, 0, 0x3a, 0]), "model-unreadable"],
])("%s", async (_, model, code) => {
  const error = await load(model).then(() => null, (fault: unknown) => fault);
  expect(error).toBeInstanceOf(LeaseholdError);
  expect([(error as LeaseholdError).code, (error as LeaseholdError).message]).toEqual([code, expect.stringContaining("onnx/model.onnx")]);
});

test("control flow runs where the manifest says that it may", async () => {
  const runtime = await load(conditional, { allowControlFlow: true });
  const run = async (on: number) => (await runtime.run("raw", { inputs: { x: { type: "float32", dims: [1], data: Float32Array.of(3) }, yes: { type: "bool", dims: [], data: Uint8Array.of(on) } } })).outputs.y;
  expect([await run(1), await run(0)]).toEqual([{ type: "float32", dims: [1], data: Float32Array.of(-3) }, { type: "float32", dims: [1], data: Float32Array.of(3) }]);
  runtime.close();
});
