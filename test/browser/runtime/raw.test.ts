/** Any model by named tensors: two inputs and two outputs, made here. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { LeaseholdError } from "../../../client/errors.ts";
import { loadRuntime, type Runtime } from "../../../client/runtime/host.ts";
import { ELEMENT, type Dimension, type OnnxModel } from "../../../schema/onnx/types.ts";
import { concat } from "../../../schema/onnx/concat.ts";
import { encodeOnnx, payloadBytes } from "../../../schema/onnx/write.ts";
import { failingPath } from "../../support/ort-failing.ts";

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

const bytes = concat(encodeOnnx(ADD_AND_COUNT).parts.map((part) => payloadBytes(part, () => NOTHING)));
const files = [{ path: "model.onnx", blob: new Blob([bytes.slice()]) }];
let runtime: Runtime;
beforeAll(async () => {
  runtime = await loadRuntime({ task: "raw", files, backend: "wasm" });
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

test("tensors of every type come back as they went in", async () => {
  const sent = {
    float32: Float32Array.of(1.5, -2), float16: Uint16Array.of(0x3c00, 0xc000), float64: Float64Array.of(1e300, -0.1), uint8: Uint8Array.of(0, 255), int8: Int8Array.of(-128, 127), uint16: Uint16Array.of(0, 65_535), int16: Int16Array.of(-32_768, 7),
    uint32: Uint32Array.of(0, 4_294_967_295), int32: Int32Array.of(-2_147_483_648, 7), uint64: BigUint64Array.of(0n, 2n ** 64n - 1n), int64: BigInt64Array.of(-(2n ** 63n), 7n), bool: Uint8Array.of(1, 0), string: ["", "héllo 👋"],
  } as const;
  const types = Object.keys(sent) as (keyof typeof sent)[];
  const elements: Record<keyof typeof sent, number> = { float32: 1, uint8: 2, int8: 3, uint16: 4, int16: 5, int32: 6, int64: 7, string: 8, bool: 9, float16: 10, float64: 11, uint32: 12, uint64: 13 };
  const graph = { ...ADD_AND_COUNT.graph, nodes: types.map((type) => ({ ...node("Identity", [type], [`${type}-out`]), name: type })), inputs: types.map((type) => value(type, elements[type], [2])), outputs: types.map((type) => value(`${type}-out`, elements[type], [2])) };
  const bytes = concat(encodeOnnx({ ...ADD_AND_COUNT, graph }).parts.map((part) => payloadBytes(part, () => NOTHING)));
  const mirror = await loadRuntime({ task: "raw", files: [{ path: "model.onnx", blob: new Blob([bytes.slice()]) }], backend: "wasm" });
  const { outputs } = await mirror.run("raw", { inputs: Object.fromEntries(types.map((type) => [type, { type, dims: [2], data: sent[type] }])) });
  mirror.close();
  expect(outputs).toEqual(Object.fromEntries(types.map((type) => [`${type}-out`, { type, dims: [2], data: sent[type] }])));
});

test("another task's call is refused", async () => {
  await expect(runtime.readOcr(new Blob())).rejects.toMatchObject({ code: "model-invalid" });
});

test.each([
  ["webgpu", "api"],
  ["webgpu", "glue"],
  ["wasm", "glue"],
] as const)("on %s, an engine whose %s a fault of the network kept away is started all the same", async (backend, which) => {
  const started = await loadRuntime({ task: "raw", files, backend, ortBase: new URL(failingPath(which), location.origin).href });
  expect(started.backend).toBe(backend);
  expect((await started.run("raw", { inputs: { a: floats(3), b: floats(4) }, outputs: ["sum"] })).outputs.sum).toEqual(floats(7));
  started.close();
});
