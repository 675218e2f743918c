/** Graphs that lead back into themselves, and functions that multiply: what no single node shows. */
import { describe, expect, it } from "vitest";
import { concat } from "../../../schema/onnx/concat.ts";
import { INSPECT_LIMITS, inspectOnnx } from "../../../schema/onnx/inspect.ts";
import { READ_LIMITS } from "../../../schema/onnx/limits.ts";
import { Rest } from "../../../schema/onnx/rest.ts";
import { bytesSource } from "../../../schema/onnx/source.ts";
import type { OnnxAttribute, OnnxFunction, OnnxModel, OnnxNode, OnnxTensor } from "../../../schema/onnx/types.ts";
import { modelBytes } from "../../support/onnx.ts";
import { NOTHING, modelOf, node } from "./models.ts";

async function judge(model: OnnxModel, external: ReadonlyMap<string, number> = new Map()): Promise<string | null> {
  const inspected = await inspectOnnx(bytesSource(modelBytes(model)), external, { ...INSPECT_LIMITS, allowControlFlow: true });
  return inspected.ok ? null : inspected.refusal.code;
}
const flow = (...nodes: OnnxNode[]) => judge(modelOf({ inputs: [{ name: "x", rest: NOTHING }], nodes }));
const body = (...nodes: OnnxNode[]): OnnxAttribute => ({ name: "body", type: 5, g: modelOf({ nodes }).graph, rest: NOTHING });
const call = (domain: string, name: string, inputs: string[], outputs: string[]): OnnxNode => node(name, inputs, outputs, { domain });
const fn = (name: string, ...nodes: OnnxNode[]): OnnxFunction => ({ name, domain: "d", nodes, rest: NOTHING });
const tensor = (more: Partial<OnnxTensor>): OnnxTensor => ({ name: "w", dataType: 1, dims: [4], data: { kind: "none" }, rest: NOTHING, ...more });

describe("a graph", () => {
  it("may have its nodes in any order, and leave inputs and outputs out", async () => {
    expect(await flow(node("Relu", ["a", ""], ["b", ""]), node("Relu", ["x"], ["a", ""]))).toBeNull();
  });
  it.each<[string, OnnxNode[]]>([
    ["of one node that needs itself", [node("Add", ["x", "a"], ["a"])]],
    ["of three nodes in a ring", [node("Relu", ["c"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["c"])]],
    ["that needs itself from within a subgraph", [node("If", ["x"], ["a"], { attributes: [body(node("Relu", ["b"], ["y"]))] }), node("Relu", ["a"], ["b"])]],
    ["with a ring in a subgraph", [node("If", ["x"], ["a"], { attributes: [body(node("Relu", ["z"], ["y"]), node("Relu", ["y"], ["z"]))] })]],
    ["that makes a value twice", [node("Relu", ["x"], ["a"]), node("Relu", ["x"], ["a"])]],
    ["that makes what it is given", [node("Relu", ["x"], ["x"])]],
  ])("%s is refused", async (_, nodes) => expect(await flow(...nodes)).toBe("model-graph-invalid"));
  it("of ten thousand nodes in a row is judged without a deep stack", async () => {
    expect(await flow(...Array.from({ length: 10_000 }, (_, at) => node("Relu", [at === 0 ? "x" : `v${at}`], [`v${at + 1}`])))).toBeNull();
  });
});

describe("functions", () => {
  const withFunctions = (...functions: OnnxFunction[]) => judge({ ...modelOf({ nodes: [call("d", "f0", [], ["out"])] }), functions });

  it("may call others", async () => expect(await withFunctions(fn("f0", call("d", "f1", [], ["a"])), fn("f1", node("Relu", ["x"], ["y"])))).toBeNull());
  it("that double with every call are refused by what they come to", async () => {
    const doubling = Array.from({ length: 15 }, (_, at) => fn(`f${at}`, ...Array.from({ length: 8 }, (__, twice) => call("d", `f${at + 1}`, [], [`o${twice}`]))));
    expect(await withFunctions(...doubling, fn("f15", node("Relu", ["x"], ["y"])))).toBe("model-too-complex");
  });
  it("that copy their weights with every call are refused by what they come to; called a few times they are not", async () => {
    const weights: OnnxAttribute = { name: "value", type: 4, t: tensor({ dims: [1024, 1024], data: { kind: "raw", bytes: new Uint8Array(4 * 1024 ** 2) } }), rest: NOTHING };
    const text: OnnxAttribute = { name: "value_string", type: 3, s: new Uint8Array(1024 ** 2), rest: NOTHING };
    const called = (times: number, constant: OnnxAttribute) => judge({ ...modelOf({ nodes: Array.from({ length: times }, (_, at) => call("d", "f0", [], [`out${at}`])) }), functions: [fn("f0", node("Constant", [], ["w"], { attributes: [constant] }))] });
    expect([await called(4, weights), await called(1000, weights), await called(1000, text)]).toEqual([null, "model-too-complex", "model-too-complex"]);
  });
  it("that call functions without end are refused", async () => {
    const chain = Array.from({ length: 1000 }, (_, at) => fn(`f${at}`, call("d", `f${at + 1}`, [], ["a"])));
    expect(await withFunctions(...chain)).toBe("model-too-complex");
  });
  it.each<[string, OnnxFunction[]]>([
    ["itself", [fn("f0", call("d", "f0", [], ["a"]))]],
    ["itself by way of another, from within a subgraph", [fn("f0", node("If", [], ["a"], { attributes: [body(call("d", "f1", [], ["b"]))] })), fn("f1", call("d", "f0", [], ["a"]))]],
  ])("none may call %s", async (_, functions) => expect(await withFunctions(...functions)).toBe("model-graph-invalid"));
  it("none may be there twice", async () => expect(await withFunctions(fn("f0"), fn("f0"))).toBe("model-graph-invalid"));
});

describe("weights", () => {
  it("of nothing are refused, unless they are none", async () => {
    expect(await judge(modelOf({ initializers: [tensor({})] }))).toBe("model-size-mismatch");
    expect(await judge(modelOf({ initializers: [tensor({ dims: [4], dataType: 8 })] }))).toBe("model-size-mismatch");
    expect(await judge(modelOf({ initializers: [tensor({ dims: [0] })] }))).toBeNull();
  });
  it("that lie in their own file a thousand times over are refused; tied ones are not", async () => {
    const outside = (name: string) => tensor({ name, data: { kind: "external", location: "w.bin", offset: 0 } });
    const files = new Map([["w.bin", 16]]);
    expect(await judge(modelOf({ initializers: [outside("a"), outside("b")] }), files)).toBeNull();
    expect(await judge(modelOf({ initializers: Array.from({ length: 1000 }, (_, at) => outside(`w${at}`)) }), files)).toBe("model-too-complex");
  });
});

describe("bytes that two readers may read apart", () => {
  const graph = [0x3a, 0x00];
  it.each<[string, number[]]>([
    ["a graph that comes twice", [...graph, ...graph]],
    ["an attribute with two subgraphs in one field", [0x3a, 10, 0x0a, 8, 0x2a, 6, 0x32, 0, 0x32, 0, 0x08, 0]],
    ["an attribute with two tensors in one field", [0x3a, 10, 0x0a, 8, 0x2a, 6, 0x2a, 0, 0x2a, 0, 0x08, 0]],
    ["a varint with more than 64 bits", [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, ...graph]],
    ["an overlong varint", [0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, ...graph]],
    ["a sparse initializer", [0x3a, 2, 0x7a, 0]],
  ])("%s is unreadable", async (_, bytes) => {
    const inspected = await inspectOnnx(bytesSource(new Uint8Array(bytes)), new Map());
    expect(inspected.ok ? null : inspected.refusal.code).toBe("model-unreadable");
  });
});

describe("structure that takes more memory than it has bytes", () => {
  /** Of a graph's or an attribute's field, by its tag: so many empty ones. */
  const empty = (tag: number, times: number) => Uint8Array.from({ length: 2 * times }, (_, at) => (at % 2 === 0 ? tag : 0));
  const message = (tag: number, content: Uint8Array): Uint8Array => {
    const length: number[] = [];
    for (let left = content.length; left > 0 || length.length === 0; left = Math.floor(left / 128)) length.push((left % 128) + (left >= 128 ? 128 : 0));
    return concat([Uint8Array.of(tag, ...length), content]);
  };
  it.each<[string, Uint8Array]>([
    ["nodes of nothing", message(0x3a, empty(0x0a, 250_000))],
    ["texts of nothing in an attribute", message(0x3a, message(0x0a, message(0x2a, empty(0x4a, 250_000))))],
    ["fields that nobody knows", message(0x3a, empty(0x72, 250_000))],
  ])("by the hundred thousand is refused: %s", async (_, bytes) => {
    const inspected = await inspectOnnx(bytesSource(bytes), new Map());
    expect(inspected.ok ? null : inspected.refusal.code).toBe("model-too-complex");
  });
});

it("files that share what they may cost are refused together", async () => {
  const bytes = modelBytes(modelOf({ nodes: Array.from({ length: 100 }, (_, at) => node("Relu", ["x"], [`v${at}`])) }));
  const spent = { fields: READ_LIMITS.fields - 500 };
  expect(await inspectOnnx(bytesSource(bytes), new Map(), INSPECT_LIMITS, spent)).toMatchObject({ ok: true });
  expect(await inspectOnnx(bytesSource(bytes), new Map(), INSPECT_LIMITS, spent)).toMatchObject({ ok: false, refusal: { code: "model-too-complex" } });
});

describe("an inspection on a thread that others share", () => {
  const inspect = (pause: () => Promise<void>) => {
    const nodes = [...Array.from({ length: 5000 }, (_, at) => node("Relu", [`v${at}`], [`v${at + 1}`])), node("Concat", Array.from({ length: 20_000 }, (_, at) => `w${at}`), ["all"])];
    return inspectOnnx(bytesSource(modelBytes(modelOf({ nodes }))), new Map(), INSPECT_LIMITS, { fields: 0, rest: new Rest(pause) });
  };

  it("rests all along, while it reads and while it follows the graph, and judges alike", async () => {
    let rests = 0;
    expect(await inspect(async () => void rests++)).toMatchObject({ ok: true });
    const [read, followed] = [5000 * 4 + 20_003, 5000 * 4 + 40_000];
    expect(rests).toBeGreaterThan((read + followed) / 4096);
  });

  it("ends with what a rest throws", async () => {
    const cancelled = new Error("nobody wants it any more");
    await expect(inspect(() => Promise.reject(cancelled))).rejects.toBe(cancelled);
  });
});
