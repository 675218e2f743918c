/** Each task that reads its input once, with a small real model in a real session. */
import { afterEach, describe, expect, test } from "vitest";
import { loadRuntime, type LoadOptions, type Runtime } from "../../../client/runtime/host.ts";
import { classifierModel, colourModel, embeddingModel, nliModel, pictureEmbeddingModel, rankingModel, type SmallModel, taggerModel, textEmbedsModel, WORDS } from "../../support/small-models.ts";
import { filesOf } from "./model-blobs.ts";

const open: Runtime[] = [];
afterEach(() => {
  for (const runtime of open.splice(0)) runtime.close();
});

async function load(task: LoadOptions["task"], model: SmallModel, options: Partial<LoadOptions> = {}): Promise<Runtime> {
  const runtime = await loadRuntime({ task, files: filesOf(model), backend: "wasm", ...options });
  open.push(runtime);
  return runtime;
}

const plain = (texts: readonly string[]) => ({ texts });

async function picture(colour: string): Promise<Blob> {
  const canvas = new OffscreenCanvas(20, 12);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no canvas");
  context.fillStyle = colour;
  context.fillRect(0, 0, 20, 12);
  return canvas.convertToBlob();
}

describe("texts", () => {
  test("get the label whose words they have, and so many tokens", async () => {
    const runtime = await load("text-classification", classifierModel());
    const { labels } = await runtime.run("text-classification", plain(["The goal is good.", "bad"]));
    expect(labels.map(([best]) => best?.label)).toEqual(["POSITIVE", "NEGATIVE"]);
    expect(labels[0]?.[0]?.score).toBeCloseTo(1 / (1 + Math.exp(-4)), 4);
    expect(await runtime.measure("text-classification", plain(["The goal is good.", "bad"]))).toBe(7 + 3);
  });

  test("can be run by named tensors as well, and what doesn't fit is refused", async () => {
    const runtime = await load("text-classification", classifierModel());
    const ids = [2, 8, 3]; // [CLS] good [SEP]
    const inputs = { input_ids: { type: "int64", dims: [1, 3], data: BigInt64Array.from(ids, BigInt) }, attention_mask: { type: "int64", dims: [1, 3], data: BigInt64Array.of(1n, 1n, 1n) } } as const;
    expect((await runtime.run("raw", { inputs })).outputs).toEqual({ logits: { type: "float32", dims: [1, 2], data: Float32Array.of(0, 4) } });
    await expect(runtime.measure("raw", { inputs, texts: ["good"] } as never)).rejects.toMatchObject({ code: "invalid-request" }); // its adapter counts calls of its own
    await expect(runtime.run("raw", { inputs: { input_ids: inputs.input_ids } })).rejects.toMatchObject({ code: "input-invalid", message: expect.stringContaining("attention_mask") });
    await expect(runtime.run("raw", { inputs: { ...inputs, input_ids: { ...inputs.input_ids, data: BigInt64Array.of(2n, 1_000_000n, 3n) } } })).rejects.toMatchObject({ code: "input-invalid" });
    expect((await runtime.run("text-classification", plain(["good"]))).labels[0]?.[0]?.label).toBe("POSITIVE");
  });

  test("get each label by itself where the model's configuration says so", async () => {
    const runtime = await load("text-classification", classifierModel({ problem_type: "multi_label_classification" }));
    const { labels } = await runtime.run("text-classification", plain(["good bad"]));
    expect(labels[0]?.map(({ score }) => score)).toEqual([expect.closeTo(0.982, 3), expect.closeTo(0.982, 3)]);
  });

  test("have their names found, at their places", async () => {
    const runtime = await load("token-classification", taggerModel());
    const { entities } = await runtime.run("token-classification", { ...plain(["The vote is about Anna.", "Paris"]), aggregation: "simple" });
    expect(entities).toEqual([
      [{ entity: "PER", text: "Anna", start: 18, end: 22, score: expect.closeTo(0.997, 2) }],
      [{ entity: "LOC", text: "Paris", start: 0, end: 5, score: expect.closeTo(0.997, 2) }],
    ]);
  });

  test("are told labels that the model never saw, by what follows from them", async () => {
    const runtime = await load("zero-shot-classification", nliModel());
    const ask = { ...plain(["the goal is good", "the vote"]), labels: ["vote", "goal"], hypothesis: "the {}", isMultiLabel: false };
    const { labels } = await runtime.run("zero-shot-classification", ask);
    expect(labels.map(([best]) => best?.label)).toEqual(["goal", "vote"]);
    expect(await runtime.measure("zero-shot-classification", ask)).toBe(2 * (4 + 2 + 3) + 2 * (2 + 2 + 3));
    for (const wrong of [{ labels: [] }, { labels: "vote" }, { texts: [5] }, { hypothesis: 5 }]) await expect(runtime.measure("zero-shot-classification", { ...ask, ...wrong } as never)).rejects.toMatchObject({ code: "invalid-request" });
  });

  test("are ranked by what they have to do with a question", async () => {
    const runtime = await load("text-ranking", rankingModel());
    const ask = { query: "about the goal", documents: ["the vote", "the goal is good", "goal goal"] };
    expect((await runtime.run("text-ranking", ask)).results).toEqual([[2, 9], [1, 4], [0, 2]].map(([index, logit = 0]) => ({ index, score: expect.closeTo(1 / (1 + Math.exp(-logit)), 4) })));
    expect(await runtime.measure("text-ranking", ask)).toBe(3 * (3 + 3) + 2 + 4 + 2);
    for (const wrong of [{ documents: [] }, { documents: [5] }, { query: null }]) await expect(runtime.measure("text-ranking", { ...ask, ...wrong } as never)).rejects.toMatchObject({ code: "invalid-request" });
  });

  test.each(["feature-extraction", "embeddings"] as const)("get embeddings of length 1 that are alike where the words are (%s)", async (task) => {
    const runtime = await load(task, embeddingModel());
    const asked = { ...plain(["good goal", "the good goal .", "bad vote", WORDS.join(" ")]), dimensions: null };
    const { embeddings } = await runtime.run("feature-extraction", asked);
    const [one, near, far] = embeddings.map((embedding) => [...embedding]) as [number[], number[], number[], number[]];
    const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, number, at) => sum + number * (b[at] ?? 0), 0);
    expect(embeddings.map((embedding) => Math.hypot(...embedding))).toEqual(embeddings.map(() => expect.closeTo(1, 5)));
    expect(dot(one, near)).toBeGreaterThan(dot(one, far) + 0.2);
    expect(dot(one, far)).toBeCloseTo(0.5, 5); // [CLS] and [SEP] of four tokens
    expect(await runtime.measure("feature-extraction", asked)).toBe(4 + 6 + 4 + 12);
  });

  const files = (of: Readonly<Record<string, unknown>>): SmallModel => Object.fromEntries(Object.entries(of).map(([path, content]) => [path, new TextEncoder().encode(JSON.stringify(content))]));
  const embed = async (model: SmallModel) => [...((await (await load("feature-extraction", model)).run("feature-extraction", { ...plain(["good"]), dimensions: null })).embeddings[0] ?? [])];

  test("get the embedding that the model makes of them by itself, as CLIP's text side does", async () => {
    const third = 1 / Math.sqrt(3); // [CLS], the word, [SEP]
    expect((await embed(textEmbedsModel())).filter((number) => number !== 0)).toEqual([1, 2, 3].map(() => expect.closeTo(third, 4)));
  });

  test("are pooled as the model's files say, and not at all where they say what isn't known here", async () => {
    const modules = (...names: string[]) => names.map((name) => ({ type: `sentence_transformers.models.${name}` }));
    const cls = await embed(embeddingModel(files({ "1_Pooling/config.json": { pooling_mode_cls_token: true }, "modules.json": modules("Transformer", "Pooling") })));
    expect(cls.filter((number) => number !== 0)).toEqual([1]);
    const mean = await embed(embeddingModel(files({ "modules.json": modules("Transformer", "Pooling") })));
    expect(Math.hypot(...mean)).toBeCloseTo(1 / Math.sqrt(3), 4); // nothing is brought to length 1
    await expect(embed(embeddingModel(files({ "modules.json": modules("Transformer", "Pooling", "Dense") })))).rejects.toMatchObject({ code: "model-invalid", message: expect.stringContaining("Dense") });
    await expect(embed(embeddingModel(files({ "1_Pooling/config.json": { pooling_mode_weightedmean_tokens: true } })))).rejects.toMatchObject({ code: "model-invalid" });
  });

  test("that are none are refused before anything runs, and the model stays usable", async () => {
    const runtime = await load("feature-extraction", embeddingModel());
    for (const wrong of [undefined, {}, { texts: "good" }, { texts: [5] }, { texts: [null] }, { texts: ["good"], dimensions: 0.5 }, { texts: ["good"], dimensions: "2" }]) await expect(runtime.measure("feature-extraction", wrong as never)).rejects.toMatchObject({ code: "invalid-request" });
    expect((await runtime.run("feature-extraction", plain(["good"]))).embeddings).toHaveLength(1);
  });

  test("that are too long are refused with their place, and the model stays usable", async () => {
    const runtime = await load("text-classification", classifierModel());
    await expect(runtime.run("text-classification", plain(["good", "good ".repeat(80)]))).rejects.toMatchObject({ code: "context-length-exceeded", message: expect.stringContaining("Text 2") });
    expect((await runtime.run("text-classification", plain(["good"]))).labels[0]?.[0]?.label).toBe("POSITIVE");
  });
});

describe("pictures", () => {
  test("get the label of their colour; what is none is image-unreadable", async () => {
    const runtime = await load("image-classification", colourModel());
    const { labels } = await runtime.run("image-classification", { images: [await picture("#00f"), await picture("#f11")], want: "labels" });
    expect(labels.map(([best]) => best?.label)).toEqual(["blue", "red"]);
    await expect(runtime.run("image-classification", { images: [new Blob(["no picture"])], want: "labels" })).rejects.toMatchObject({ code: "image-unreadable" });
    await expect(runtime.run("image-classification", { images: [await picture("#00f")], want: "embedding" })).rejects.toMatchObject({ code: "invalid-request" });
    expect(await runtime.measure("image-classification", { images: [await picture("#00f"), await picture("#f11")], want: "labels" })).toBe(2);
    for (const images of [undefined, [5]]) await expect(runtime.measure("image-classification", { images, want: "labels" } as never)).rejects.toMatchObject({ code: "invalid-request" });
  });

  test("get embeddings as CLIP's image side gives them", async () => {
    const runtime = await load("image-embeddings", pictureEmbeddingModel());
    const { embeddings } = await runtime.run("image-classification", { images: [await picture("#fff"), await picture("#f00")], want: "embedding" });
    const third = 1 / Math.sqrt(3);
    expect([...(embeddings[0] ?? [])]).toEqual([expect.closeTo(third, 3), expect.closeTo(third, 3), expect.closeTo(third, 3)]);
    expect([...(embeddings[1] ?? [])]).toEqual([expect.closeTo(third, 3), expect.closeTo(-third, 3), expect.closeTo(-third, 3)]);
  });
});
