import { describe, expect, it } from "vitest";
import { revisionCreate } from "../../../schema/contract/models.ts";

const DIGEST = "a".repeat(64);
const file = { path: "onnx/model.onnx", size: 5, sha256: DIGEST, chunks: [{ sha256: DIGEST, size: 5 }] };
const body = (more: object = {}, variant: object = {}) => ({
  task: "text-generation",
  usage: { measure: "text-tokens" },
  prices: { input_nanos_per_token: 1, output_nanos_per_token: 2 },
  variants: [{ id: "q4", files: [file], ...variant }],
  ...more,
});
/** Paths of what is wrong; empty where the body is taken. */
const faults = (value: unknown) => revisionCreate.safeParse(value).error?.issues.map((issue) => issue.path.join(".")) ?? [];

const tokens = { kind: "tokens", input_ids: [1, 2], output_ids: [3] };
const embedding = { kind: "embedding", input: "a", first_dims: [0.5, -0.25], tolerance: 0.01 };
const tensors = (output: object, input: object = { type: "float32", dims: [2], values: [1, 2] }) => ({ kind: "tensors", inputs: { x: input }, outputs: { y: output } });

describe("what a variant requires", () => {
  it.each([
    {},
    { backend: "webgpu", features: ["shader-f16", "subgroups"], memory_bytes: 1, buffer_bytes: 1 },
    { backend: "wasm", features: ["wasm-simd", "wasm-threads"] },
    { features: ["wasm-simd"] },
  ])("is taken: %j", (requires) => expect(faults(body({}, { requires }))).toEqual([]));

  it.each([
    ["a feature that nobody knows", { features: ["shader-f17"] }, "variants.0.requires.features.0"],
    ["a feature twice", { features: ["subgroups", "subgroups"] }, "variants.0.requires.features"],
    ["a feature of the other backend", { backend: "wasm", features: ["shader-f16"] }, "variants.0.requires.features"],
    ["storage buffers without webgpu", { buffer_bytes: 5 }, "variants.0.requires.buffer_bytes"],
    ["no memory at all", { memory_bytes: 0 }, "variants.0.requires.memory_bytes"],
    ["a need that nobody knows", { gpu: true }, "variants.0.requires"],
  ])("is refused: %s", (_, requires, path) => expect(faults(body({}, { requires }))).toEqual([path]));
});

describe("chunks", () => {
  const [other, half] = ["b".repeat(64), { sha256: "c".repeat(64), size: 5 }];
  const of = (...files: object[]) => faults(body({}, { files }));

  it.each([
    ["a chunk in two files", [file, { ...file, path: "copy" }]],
    ["a file of several, whose digest none of them has", [{ ...file, size: 10, sha256: other, chunks: [file.chunks[0], half] }]],
    ["a file whose own digest nobody knows", [{ path: "a", size: 5, chunks: [half] }]],
  ])("are taken: %s", (_, files) => expect(of(...files)).toEqual([]));

  it.each([
    ["sizes that don't add up to the file's", [{ ...file, size: 6 }], "variants.0.files.0.chunks"],
    ["a chunk of nothing", [{ ...file, size: 5, chunks: [half, { sha256: other, size: 0 }] }], "variants.0.files.0.chunks.1.size"],
    ["a file of one chunk, and of another digest than that", [{ ...file, sha256: other }], "variants.0.files.0.sha256"],
    ["a chunk that has two sizes", [file, { path: "a", size: 7, chunks: [{ sha256: DIGEST, size: 7 }] }], "variants"],
    ["a chunk that has two sizes in one file", [{ path: "a", size: 12, chunks: [file.chunks[0], { sha256: DIGEST, size: 7 }] }], "variants"],
  ])("are refused: %s", (_, files, path) => expect(of(...files)).toEqual([path]));

  it("have one size in all variants together", () => {
    const variants = [{ id: "a", files: [file] }, { id: "b", files: [{ path: "a", size: 7, chunks: [{ sha256: DIGEST, size: 7 }] }] }];
    expect(faults(body({ variants }))).toEqual(["variants"]);
  });
});

describe("a self-test", () => {
  it.each([
    [{ self_test: tokens }],
    [{ task: "embeddings", self_test: embedding }],
    [{ task: "raw", usage: { measure: "per-run", tokens: 1 }, self_test: tensors({ dims: [1], first: [2], tolerance: 0.1 }) }],
    [{ task: "text-classification", self_test: tensors({ dims: [1], sha256: DIGEST }) }],
  ])("is taken: %j", (more) => expect(faults(body(more))).toEqual([]));

  it("may be a variant's own", () => {
    expect(faults(body({}, { self_test: tokens }))).toEqual([]);
    expect(faults(body({ task: "ocr" }, { self_test: tokens }))).toEqual(["variants.0.self_test"]);
  });

  it.each([
    ["token ids for another task", { task: "embeddings", self_test: tokens }, "self_test"],
    ["tensors of a text generator", { self_test: tensors({ dims: [1], sha256: DIGEST }) }, "self_test"],
    ["an embedding of a text generator", { self_test: embedding }, "self_test"],
    ["a negative token id", { self_test: { ...tokens, output_ids: [-1] } }, "self_test.output_ids.0"],
    ["no tolerance", { task: "embeddings", self_test: { ...embedding, tolerance: 0 } }, "self_test.tolerance"],
    ["values that are not as many as the dims say", { task: "ocr", self_test: tensors({ dims: [], sha256: DIGEST }, { type: "float32", dims: [3], values: [1] }) }, "self_test.inputs.x.values"],
    ["an output that is nothing to compare with", { task: "ocr", self_test: tensors({ dims: [1] }) }, "self_test.outputs.y.first"],
    ["first values without a tolerance", { task: "ocr", self_test: tensors({ dims: [1], first: [1] }) }, "self_test.outputs.y.tolerance"],
    ["no outputs", { task: "ocr", self_test: { kind: "tensors", inputs: {}, outputs: {} } }, "self_test.outputs"],
  ])("is refused: %s", (_, more, path) => expect(faults(body(more))).toEqual([path]));
});

it.each(["encrypted", "plain", "none", undefined])("the cache may be %s", (cache) => expect(faults(body({ cache }))).toEqual([]));
it("the cache may be nothing else", () => expect(faults(body({ cache: "shared" }))).toEqual(["cache"]));
