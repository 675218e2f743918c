import { describe, expect, it } from "vitest";
import type { HubModel } from "../../../worker/imports/hub.ts";
import { buildOf, chooseFiles } from "../../../worker/imports/layout.ts";

const model = (paths: readonly string[], pipeline: string | null = "text-generation"): HubModel => ({
  commit: "0".repeat(40), pipeline, licence: null, files: paths.map((path) => ({ path, size: 5, sha256: null, git: null })),
});
const SMOL = ["README.md", "config.json", "tokenizer.json", "onnx/model.onnx", "onnx/model_q4.onnx", "onnx/model_q4.onnx_data", "onnx/model_q4f16.onnx", "pytorch_model.bin"];
const chosen = (of: HubModel, config: Parameters<typeof chooseFiles>[1] = null, builds: Parameters<typeof chooseFiles>[2] = ["q4"], stated = {}) => chooseFiles(of, config, builds, stated);

describe("files", () => {
  it("are those of the builds with their external data, and those that all share", () => {
    const answer = chosen(model(SMOL), null, ["q4", "q4f16"]);
    expect(answer.ok && answer.files.map(({ path }) => path)).toEqual(["config.json", "tokenizer.json", "onnx/model_q4.onnx", "onnx/model_q4.onnx_data", "onnx/model_q4f16.onnx"]);
  });
  it("of a build that is not there are refused by name", () => expect(chosen(model(SMOL), null, ["int8"])).toMatchObject({ ok: false, code: "source-not-found", detail: expect.stringContaining("fp32, q4, q4f16") }));
  it.each([
    ["onnx/model_q4.onnx_data", 4 * 1024 ** 3],
    ["onnx/model_q4.onnx", 2 * 1024 ** 3],
    ["tokenizer.json", 4 * 1024 ** 3],
  ])("that are larger than a revision may have are refused before any of them is fetched: %s", (path, most) => {
    const of = (size: number): HubModel => ({ ...model([]), files: model(SMOL).files.map((file) => (file.path === path ? { ...file, size } : file)) });
    expect(chosen(of(most))).toMatchObject({ ok: true });
    expect(chosen(of(most + 1))).toMatchObject({ ok: false, code: "model-refused", detail: expect.stringContaining(path) });
  });
  it("of nothing are left out, as if the hub had none of them", () => {
    const of = (empty: string): HubModel => ({ ...model([]), files: model(SMOL).files.map((file) => (file.path === empty ? { ...file, size: 0 } : file)) });
    const answer = chosen(of("onnx/model_q4.onnx_data"));
    expect(answer.ok && answer.files.map(({ path }) => path)).toEqual(["config.json", "tokenizer.json", "onnx/model_q4.onnx"]);
    expect(chosen(of("onnx/model_q4.onnx"))).toMatchObject({ ok: false, code: "source-not-found" });
  });
  it("of which a variant would have too many are refused before any of them is fetched", () => {
    const of = (count: number) => model([...SMOL, ...Array.from({ length: count }, (_, at) => `onnx/model_q4.onnx_data_${at + 1}`)]);
    expect(chosen(of(252))).toMatchObject({ ok: true }); // beside four others
    expect(chosen(of(253), null, ["q4f16", "q4"])).toMatchObject({ ok: false, code: "model-refused", detail: expect.stringContaining("q4") });
  });
  it("with data alone are no build", () => expect(chosen(model(["onnx/model_q4.onnx_data"]))).toMatchObject({ ok: false, code: "source-not-found" }));
});

it.each([
  ["onnx/model.onnx", "fp32"], ["onnx/model.onnx_data", "fp32"], ["onnx/model_q4.onnx_data_1", "q4"], ["onnx/model_q4.onnx.data", "q4"], ["onnx/model_quantized.onnx", "q8"],
  ["model_q4.onnx", null], ["onnx/sub/model.onnx", null], ["onnx/decoder_model.onnx", null], ["onnx/model.onnx.txt", null], ["onnx/../model.onnx", null],
])("%s is of the build %s", (path, build) => expect(buildOf(path)).toBe(build));

it.each([
  ["text-generation", [], "text-generation", "text-tokens"],
  ["sentence-similarity", ["BertModel"], "embeddings", "text-tokens"],
  ["image-classification", [], "image-classification", "image-tokens"],
  ["text-ranking", ["BertForSequenceClassification"], "text-ranking", "text-tokens"],
  [null, ["LlamaForCausalLM"], "text-generation", "text-tokens"],
  ["fill-mask", ["BertForSequenceClassification"], "text-classification", "text-tokens"],
  ["toString", ["ViTForImageClassification"], "image-classification", "image-tokens"],
])("%s %j is %s, measured in %s", (pipeline, architectures, task, measure) => {
  expect(chosen(model(SMOL, pipeline), { architectures })).toMatchObject({ ok: true, task, usage: { measure } });
});

it("a task that can't be read off is to be stated", () => {
  expect(chosen(model(SMOL, "fill-mask"), { architectures: ["BertModel"] })).toMatchObject({ ok: false, code: "task-unknown" });
  expect(chosen(model(SMOL, "fill-mask"), null, ["q4"], { task: "raw" })).toMatchObject({ ok: true, task: "raw", usage: { measure: "per-run", tokens: 1 } });
});

it("a self-test that the hub's task can't be held to is refused before anything is fetched", () => {
  const held = (pipeline: string, kind: "tokens" | "tensors", stated = {}) => chosen(model(SMOL, pipeline), null, ["q4"], { self_test: { kind }, ...stated });
  expect(held("text-generation", "tensors")).toMatchObject({ ok: false, code: "model-refused", detail: expect.stringContaining("text-generation") });
  expect(held("text-generation", "tokens")).toMatchObject({ ok: true });
  expect(held("text-generation", "tensors", { task: "raw" })).toMatchObject({ ok: true });
});
