/** Any model by named tensors: two inputs and two outputs, made here. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { LeaseholdError } from "../../../client/errors.ts";
import { loadRuntime, type Runtime } from "../../../client/runtime/host.ts";
import { ELEMENT, type Dimension, type OnnxModel } from "../../../schema/onnx/types.ts";
import { concat } from "../../../schema/onnx/concat.ts";
import { encodeOnnx, payloadBytes } from "../../../schema/onnx/write.ts";

const NOTHING = new Uint8Array(0);
const value = (name: string, elementType: number, shape: readonly Dimension[]) => ({ name, tensor: { elementType, shape }, rest: NOTHING });
const node = (opType: string, inputs: string[], outputs: string[]) => ({ name: opType, domain: "", opType, inputs, outputs, attributes: [], rest: NOTHING });

const ADD_AND_COUNT: OnnxModel = {
  irVersion: 8,
  opsets: [{ domain: "", version: 17 }],
  functions: [],
  rest: NOTHING,
  graph: {
    name: "g",
    nodes: [node("Add", ["a", "b"], ["sum"]), node("Size", ["a"], ["count"])],
    initializers: [],
    inputs: [value("a", ELEMENT.float, ["n"]), value("b", ELEMENT.float, ["n"])],
    outputs: [value("sum", ELEMENT.float, ["n"]), value("count", ELEMENT.int64, [])],
    valueInfos: [],
    rest: NOTHING,
  },
};

let runtime: Runtime;
beforeAll(async () => {
  const bytes = concat(encodeOnnx(ADD_AND_COUNT).parts.map((part) => payloadBytes(part, () => NOTHING)));
  runtime = await loadRuntime({ task: "raw", files: [{ path: "model.onnx", blob: new Blob([bytes.slice()]) }], backend: "wasm" });
});
afterAll(() => runtime.close());

const floats = (...numbers: number[]) => ({ type: "float32", dims: [numbers.length], data: Float32Array.from(numbers) }) as const;

test("every output comes back by its name", async () => {
  const { outputs } = await runtime.run("raw", { inputs: { a: floats(1, 2), b: floats(10, 20) } });
  expect(outputs).toEqual({ sum: floats(11, 22), count: { type: "int64", dims: [], data: BigInt64Array.of(2n) } });
  expect(Object.keys((await runtime.run("raw", { inputs: { a: floats(1), b: floats(1) }, outputs: ["sum"] })).outputs)).toEqual(["sum"]);
});

test.each([
  ["an input is missing", { a: floats(1) }],
  ["there is one too many", { a: floats(1), b: floats(1), c: floats(1) }],
  ["the type is another", { a: floats(1), b: { type: "int32", dims: [1], data: Int32Array.of(1) } as const }],
  ["the dims are not the data's", { a: floats(1), b: { ...floats(1, 2), dims: [3] } }],
  ["the graph can't join the shapes", { a: floats(1, 2), b: floats(1, 2, 3) }],
])("where %s, the call is refused and the model stays usable", async (_, inputs) => {
  const fault = await runtime.run("raw", { inputs }).catch((error: unknown) => error);
  expect(fault).toBeInstanceOf(LeaseholdError);
  expect((fault as LeaseholdError).code).toBe("input-invalid");
  expect((await runtime.run("raw", { inputs: { a: floats(3), b: floats(4) } })).outputs.sum).toEqual(floats(7));
});

test("a call that can't be handed to the worker is refused, and the next one works", async () => {
  const sent = runtime.run("raw", { inputs: { a: () => 1, b: {} } as never });
  await expect(sent).rejects.toMatchObject({ code: "invalid-request" });
  expect((await runtime.run("raw", { inputs: { a: floats(3), b: floats(4) } })).outputs.sum).toEqual(floats(7));
});

test("another task's call is refused", async () => {
  await expect(runtime.readOcr(new Blob())).rejects.toMatchObject({ code: "model-invalid" });
});
