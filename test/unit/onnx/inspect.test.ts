import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat } from "../../../schema/onnx/concat.ts";
import { MODEL_FAULTS, type ModelRefusal } from "../../../schema/onnx/fault.ts";
import { INSPECT_LIMITS, inspectOnnx } from "../../../schema/onnx/inspect.ts";
import { bytesSource } from "../../../schema/onnx/source.ts";
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor } from "../../../schema/onnx/types.ts";
import { encodeOnnx, onnxChunks } from "../../../schema/onnx/write.ts";
import { WireMessage } from "../../../schema/onnx/wire-writer.ts";
import { stories } from "./models.ts";

const NOTHING = new Uint8Array(0);
const tensor = (more: Partial<OnnxTensor> = {}): OnnxTensor => ({ name: "w", dataType: 1, dims: [2, 2], data: { kind: "raw", bytes: new Uint8Array(16) }, rest: NOTHING, ...more });
const node = (opType: string, attributes: OnnxAttribute[] = []): OnnxNode => ({ name: "n", opType, domain: "", inputs: ["x", "w"], outputs: ["y"], attributes, rest: NOTHING });
const graph = (more: Partial<OnnxGraph> = {}): OnnxGraph => ({ name: "g", nodes: [node("MatMul")], initializers: [tensor()], inputs: [], outputs: [], valueInfos: [], rest: NOTHING, ...more });
const model = (of: Partial<OnnxGraph> = {}, more: Partial<OnnxModel> = {}): OnnxModel => ({ irVersion: 10, opsets: [{ domain: "", version: 21 }], graph: graph(of), functions: [], rest: NOTHING, ...more });
const body = (inner: OnnxGraph): OnnxAttribute => ({ name: "body", type: 5, g: inner, rest: NOTHING });
const nested = (depth: number): OnnxGraph => (depth === 0 ? graph() : graph({ nodes: [node("Loop", [body(nested(depth - 1))])] }));
const withDefault = (attribute: OnnxAttribute): OnnxModel => model({}, { functions: [{ name: "f", domain: "d", nodes: [node("Relu")], defaults: [attribute], rest: NOTHING }] });
const outside = (location: string, more: object = {}) => tensor({ data: { kind: "external", location, offset: 0, ...more } });

const encoded = ({ parts }: WireMessage) => new Uint8Array(Buffer.concat(parts as Uint8Array[]));

async function bytesOf(of: OnnxModel): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const none = () => Promise.reject(new Error("nothing is read of a made model"));
  for await (const part of onnxChunks(encodeOnnx(of), none)) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}
const EXTERNAL = new Map([["model.onnx_data", 16]]);
const inspect = async (bytes: Uint8Array, limits = INSPECT_LIMITS): Promise<ModelRefusal | null> => {
  const inspected = await inspectOnnx(bytesSource(bytes), EXTERNAL, limits);
  return inspected.ok ? null : inspected.refusal;
};
const codeOf = async (of: OnnxModel, limits: Partial<typeof INSPECT_LIMITS> = {}) => (await inspect(await bytesOf(of), { ...INSPECT_LIMITS, ...limits }))?.code ?? null;

it("lets a plain model through, also with external data of its own", async () => {
  expect(await codeOf(model())).toBeNull();
  expect(await codeOf(model({ initializers: [outside("model.onnx_data"), outside("model.onnx_data", { length: 16 })] }))).toBeNull();
});

describe("refuses", () => {
  it.each(["../model.onnx_data", "/etc/passwd", "other.bin", "./model.onnx_data", "a/../model.onnx_data", "model.onnx_data\0", "https://evil.example/x", ""])("external data at %j", async (location) => {
    expect(await codeOf(model({ initializers: [outside(location)] }))).toBe("model-external-path");
    expect(await codeOf(withDefault({ name: "value", type: 4, t: outside(location), rest: NOTHING }))).toBe("model-external-path");
  });
  it("a number that another reader cuts to 32 bits, and so sees external data where this one sees none", async () => {
    const entry = new WireMessage().string(1, "location").string(2, "/etc/passwd");
    const elsewhere = (place: number) => codeOf(model({ initializers: [tensor({ rest: encoded(new WireMessage().message(13, entry).int(14, place)) })] }));
    expect(await elsewhere(0)).toBeNull();
    expect(await elsewhere(2 ** 32 + 1)).toBe("model-unreadable");
  });
  it("what onnxruntime would take for its own format, for the four letters of that stand where it looks for them", async () => {
    const beginning = (words: string) => new Uint8Array([0x32, 2 + words.length, 0x20, 0x20, ...new TextEncoder().encode(words)]); // doc_string
    const plain = await bytesOf(model());
    expect(await inspect(concat([beginning("ortm"), plain]))).toBeNull();
    expect((await inspect(concat([beginning("ORTM"), plain])))?.code).toBe("model-unreadable");
  });
  it.each<[string, OnnxTensor, string]>([
    ["external data that begin beyond the end", outside("model.onnx_data", { offset: 1 }), "model-external-range"],
    ["external data that end beyond the end", outside("model.onnx_data", { length: 17 }), "model-external-range"],
    ["external data of another length than the dims say", outside("model.onnx_data", { length: 8 }), "model-size-mismatch"],
    ["raw data of another length than the dims say", tensor({ dims: [2, 3] }), "model-size-mismatch"],
    ["dims whose product overflows", tensor({ dims: [2 ** 31, 2 ** 31] }), "model-dims-invalid"],
    ["dims that hide behind a zero", tensor({ dims: [2 ** 31, 0, 2 ** 31], data: { kind: "none" } }), "model-dims-invalid"],
    ["a rank that no tensor has", tensor({ dims: Array.from({ length: 65 }, () => 1) }), "model-dims-invalid"],
    ["a tensor larger than any file", tensor({ dims: [2 ** 31], data: { kind: "none" } }), "model-dims-invalid"],
  ])("%s", async (_, one, code) => {
    expect(await codeOf(model({ initializers: [one] }))).toBe(code);
    // Wherever it stands: in a constant, and in a function's.
    const constant = node("Constant", [{ name: "value", type: 4, t: one, rest: NOTHING }]);
    expect(await codeOf(model({ nodes: [constant] }))).toBe(code);
    expect(await codeOf(model({}, { functions: [{ name: "f", domain: "d", nodes: [constant], rest: NOTHING }] }))).toBe(code);
    expect(await codeOf(withDefault({ name: "value", type: 4, t: one, rest: NOTHING }))).toBe(code);
  });

  it.each(["Loop", "Scan", "If"])("%s, unless the operator allows it", async (op) => {
    const flow = model({ nodes: [node(op, [body(graph())])] });
    expect(await codeOf(flow)).toBe("model-control-flow");
    expect(await codeOf(flow, { allowControlFlow: true })).toBeNull();
  });
  it("a graph that a function's nodes get by default, though control flow is allowed", async () => expect(await codeOf(withDefault(body(graph())), { allowControlFlow: true })).toBe("model-control-flow"));
  it("a subgraph under any other name", async () => expect(await codeOf(model({ nodes: [node("Harmless", [body(graph())])] }))).toBe("model-control-flow"));
  it("control flow that nests too deep, though it is allowed", async () => {
    expect(await codeOf(model(nested(4)), { allowControlFlow: true })).toBeNull();
    expect(await codeOf(model(nested(5)), { allowControlFlow: true })).toBe("model-control-flow");
    expect(await codeOf(model(nested(30)), { allowControlFlow: true })).toBe("model-too-complex");
  });
  it("more nodes or tensors than are let through", async () => {
    expect(await codeOf(model({ nodes: [node("Add"), { ...node("Add"), outputs: ["z"] }] }), { nodes: 1 })).toBe("model-too-complex");
    expect(await codeOf(model({ initializers: [tensor(), tensor()] }), { tensors: 1 })).toBe("model-too-complex");
  });
  it("negative dims", async () => {
    // TensorProto of dims −1, alone in a graph: 1 → varint of ten bytes.
    const dims = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    const initializer = [0x2a, dims.length, ...dims];
    expect((await inspect(new Uint8Array([0x3a, initializer.length, ...initializer])))?.code).toBe("model-unreadable");
  });
  it.each<[string, number[]]>([
    ["nothing", []],
    ["a varint without end", Array.from({ length: 64 }, () => 0xff)],
    ["a length beyond the end", [0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ["text", [...new TextEncoder().encode("version https://git-lfs.github.com/spec/v1")]],
  ])("%s, as unreadable", async (_, bytes) => expect((await inspect(new Uint8Array(bytes)))?.code).toBe("model-unreadable"));
});

it("a file cut off anywhere is refused, or a whole model still", async () => {
  const whole = await bytesOf(model({ initializers: [tensor(), outside("model.onnx_data")] }));
  for (let length = 0; length < whole.length; length++) {
    const refusal = await inspect(whole.subarray(0, length));
    expect(refusal === null || refusal.code in MODEL_FAULTS).toBe(true);
  }
});

it("whatever is changed in a file, there is an answer, and its words are printable", async () => {
  const whole = await bytesOf(model({ initializers: [tensor(), outside("model.onnx_data")], nodes: [node("MatMul"), { ...node("If", [body(graph())]), outputs: ["z"] }] }));
  const change = fc.record({ at: fc.nat(whole.length - 1), to: fc.integer({ min: 0, max: 255 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
      const bytes = whole.slice();
      for (const { at, to } of changes) bytes[at] = to;
      const refusal = await inspect(bytes, { ...INSPECT_LIMITS, allowControlFlow: true });
      expect(refusal === null || (refusal.code in MODEL_FAULTS && /^[\x20-\x7e]+$/.test(refusal.detail))).toBe(true);
    }),
    { numRuns: 500 },
  );
});

const real = stories();
it.skipIf(real === null)("lets a real decoder through, and reads no weights for it", async () => {
  const bytes = real as Uint8Array;
  let read = 0;
  const source = { size: bytes.length, read: async (offset: number, length: number) => ((read += length), bytes.subarray(offset, offset + length)) };
  expect(await inspectOnnx(source, new Map())).toMatchObject({ ok: true, hasControlFlow: false });
  expect(read).toBeLessThan(bytes.length);
});
