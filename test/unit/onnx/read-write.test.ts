import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OnnxError } from "../../../schema/onnx/error.ts";
import { readOnnx } from "../../../schema/onnx/read.ts";
import { bytesSource, type ByteSource } from "../../../schema/onnx/source.ts";
import { ELEMENT, type ByteRange, type OnnxModel, type OnnxTensor } from "../../../schema/onnx/types.ts";
import { concat } from "../../../schema/onnx/concat.ts";
import { encodeOnnx, onnxChunks, payloadBytes } from "../../../schema/onnx/write.ts";
import { modelOf, node, NOTHING, stories } from "./models.ts";

const rangeOf = (bytes: Uint8Array) => ({ offset, length }: ByteRange) => bytes.subarray(offset, offset + length);

async function written(model: OnnxModel, original: Uint8Array = NOTHING): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const encoded = encodeOnnx(model);
  for await (const chunk of onnxChunks(encoded, async (range) => rangeOf(original)(range))) chunks.push(chunk);
  const bytes = concat(chunks);
  expect(bytes).toHaveLength(encoded.length);
  return bytes;
}

/** Weights in place of where they lie, so that two files can be compared. */
const withWeights = (model: OnnxModel, file: Uint8Array): unknown =>
  JSON.parse(JSON.stringify(model, (_, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
    if (typeof value === "object" && value !== null && "offset" in value && "length" in value && !("location" in value)) return Buffer.from(payloadBytes(value as ByteRange, rangeOf(file))).toString("base64");
    return value;
  }));

const everything: OnnxModel = {
  ...modelOf({
    nodes: [
      node("Loop", ["a", "", "b"], ["c"], {
        name: "loop",
        domain: "com.example",
        attributes: [
          { name: "ints", type: 7, ints: [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)], rest: NOTHING },
          { name: "floats", type: 6, floats: [0, -1.5, Infinity], rest: NOTHING },
          { name: "i", type: 2, i: -5n, rest: NOTHING },
          { name: "f", type: 1, f: 0.5, rest: NOTHING },
          { name: "s", type: 3, s: new TextEncoder().encode("naïve"), rest: NOTHING },
          { name: "strings", type: 8, strings: [new Uint8Array([255]), NOTHING], rest: NOTHING },
          { name: "body", type: 5, g: modelOf({ nodes: [node("Identity", ["x"], ["y"])] }).graph, rest: NOTHING },
        ],
      }),
    ],
    initializers: [
      { name: "w", dataType: ELEMENT.float, dims: [2], data: { kind: "raw", bytes: new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]) }, rest: NOTHING },
      { name: "far", dataType: ELEMENT.int4, dims: [1000, 300], data: { kind: "external", location: "model.onnx_data", offset: 4096, length: 150_000 }, rest: NOTHING },
      { name: "empty", dataType: ELEMENT.float, dims: [0], data: { kind: "none" }, rest: NOTHING },
    ],
    inputs: [{ name: "a", tensor: { elementType: ELEMENT.int64, shape: ["batch", 4, null] }, rest: NOTHING }],
    outputs: [{ name: "c", tensor: { elementType: ELEMENT.float, shape: null }, rest: NOTHING }],
  }),
  functions: [{ name: "f", domain: "com.example", nodes: [node("Relu", ["x"], ["y"])], defaults: [{ name: "alpha", type: 1, f: 0.5, rest: NOTHING }], rest: NOTHING }],
};

describe("reading what was written", () => {
  test("a decoder keeps its whole meaning and every weight", async ({ skip }) => {
    const file = stories();
    if (!file) return skip("the models next to the checkout are not there");
    const model = await readOnnx(bytesSource(file));
    expect(model.graph.nodes.filter(({ opType }) => opType === "GroupQueryAttention")).toHaveLength(5);
    expect(model.graph.inputs.map(({ name }) => name)).toContain("past_key_values.4.value");
    const again = await written(model, file);
    expect(withWeights(await readOnnx(bytesSource(again)), again)).toEqual(withWeights(model, file));
  });

  test("every kind of attribute, type and tensor survives", async () => {
    const bytes = await written(everything);
    const model = await readOnnx(bytesSource(bytes));
    const loop = model.graph.nodes[0];
    expect(loop?.inputs).toEqual(["a", "", "b"]);
    expect(loop?.attributes.find(({ name }) => name === "ints")?.ints).toEqual([0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]);
    expect(loop?.attributes.find(({ name }) => name === "body")?.g?.nodes[0]?.opType).toBe("Identity");
    expect(model.graph.inputs[0]?.tensor).toEqual({ elementType: 7, shape: ["batch", 4, null] });
    expect(model.graph.initializers[1]?.data).toEqual({ kind: "external", location: "model.onnx_data", offset: 4096, length: 150_000 });
    expect(model.functions[0]?.nodes[0]?.opType).toBe("Relu");
    expect(await written(model, bytes)).toEqual(bytes);
  });

  test("fields that it doesn't know pass through", async () => {
    const bytes = concat([await written(everything), new Uint8Array([0xba, 0x3e, 3, 97, 98, 99])]); // field 999: "abc"
    const again = await written(await readOnnx(bytesSource(bytes)), bytes);
    expect(Buffer.from(again).includes(Buffer.from([0xba, 0x3e, 3, 97, 98, 99]))).toBe(true);
  });

  test("elements as protobuf numbers stay, packed or one by one", async () => {
    const tensor = (...fields: number[]) => new Uint8Array([0x3a, fields.length + 2, 0x2a, fields.length, ...fields]);
    const packed = tensor(0x08, 2, 0x10, 7, 0x3a, 2, 5, 6); // dims [2], int64, int64_data packed
    const single = tensor(0x08, 2, 0x10, 7, 0x38, 5, 0x38, 6);
    for (const bytes of [packed, single]) {
      const { graph } = await readOnnx(bytesSource(bytes));
      const data = graph.initializers[0]?.data;
      expect(data).toEqual({ kind: "typed", field: 7, range: { offset: 8, length: 4 } });
    }
  });

  test("weights are never read", async () => {
    const big: OnnxTensor = { name: "big", dataType: ELEMENT.uint8, dims: [8_000_000], data: { kind: "raw", bytes: new Uint8Array(8_000_000) }, rest: NOTHING };
    const file = await written(modelOf({ initializers: [big, { ...big, name: "second" }], nodes: [node("Relu", ["x"], ["y"])] }));
    let read = 0;
    const source: ByteSource = { size: file.length, read: async (offset, length) => { read += length; return file.subarray(offset, offset + length); } };
    expect((await readOnnx(source)).graph.initializers.map(({ name }) => name)).toEqual(["big", "second"]);
    expect(read).toBeLessThan(200_000);
  });
});

describe("bytes that mean harm", () => {
  const code = async (bytes: Uint8Array, limits?: Parameters<typeof readOnnx>[1]): Promise<string> => {
    try {
      await readOnnx(bytesSource(bytes), limits);
      return "ok";
    } catch (error) {
      if (error instanceof OnnxError) return error.code;
      throw error;
    }
  };

  test.each([
    ["nothing", [], "malformed"],
    ["a length beyond the end", [0x3a, 0x7f], "truncated"],
    ["a length of 2^63", [0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], "malformed"],
    ["a number that never ends", Array<number>(20).fill(0xff), "malformed"],
    ["a group", [0x3b], "malformed"],
    ["field 0", [0x02, 0], "malformed"],
    ["a name that is no text", [0x3a, 4, 0x12, 2, 0xc3, 0x28], "malformed"],
    ["two graphs", [0x3a, 0, 0x3a, 0], "malformed"],
  ])("%s", async (_, bytes, expected) => {
    expect(await code(new Uint8Array(bytes))).toBe(expected);
  });

  test("graphs in graphs in graphs", async () => {
    let graph = modelOf({}).graph;
    for (let depth = 0; depth < 30; depth++) graph = modelOf({ nodes: [node("If", [], [], { attributes: [{ name: "then", type: 5, g: graph, rest: NOTHING }] })] }).graph;
    expect(await code(await written(modelOf(graph)))).toBe("too-deep");
  });

  test("more fields, or more structure, than anyone needs", async () => {
    const bytes = await written(modelOf({ nodes: Array.from({ length: 1000 }, () => node("Relu", ["x".repeat(100)], ["y"])) }));
    expect(await code(bytes, { depth: 24, fields: 500, messages: 1e6, keptBytes: 1e6 })).toBe("too-many");
    expect(await code(bytes, { depth: 24, fields: 1e6, messages: 100, keptBytes: 1e6 })).toBe("too-many");
    expect(await code(bytes, { depth: 24, fields: 1e6, messages: 1e6, keptBytes: 10_000 })).toBe("too-large");
  });

  test("whatever is changed in a model, it is read, or refused with a code", async () => {
    const bytes = await written(everything);
    const change = fc.record({ at: fc.nat(bytes.length - 1), to: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), fc.nat(bytes.length), async (changes, cut) => {
        const broken = bytes.slice(0, cut < 40 ? bytes.length : cut);
        for (const { at, to } of changes) if (at < broken.length) broken[at] = to;
        const outcome = await code(broken);
        expect(["ok", "truncated", "malformed", "too-deep", "too-many", "too-large", "unsupported"]).toContain(outcome);
        if (outcome !== "ok") return;
        const model = await readOnnx(bytesSource(broken));
        const again = await written(model, broken);
        expect(withWeights(await readOnnx(bytesSource(again)), again)).toEqual(withWeights(model, broken));
      }),
      { numRuns: 300 },
    );
  });

  test("any bytes at all", async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => void (await code(bytes))), { numRuns: 300 });
  });
});
