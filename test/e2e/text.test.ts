/**
 * A small story-teller, published to a real control plane and run by the SDK in a tenant's own page: what it tells is
 * what the reference tells, and what it used stands in the books.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { leaseState } from "../../schema/contract/leases.ts";
import { quota } from "../../schema/contract/policy.ts";
import { keyCreated, tenant, tenantCreate } from "../../schema/contract/tenants.ts";
import { type Api, apiAt } from "../../cli/api.ts";
import { eventually } from "../../cli/check/report.ts";
import { type ControlPlane, startControlPlane } from "../../cli/control-plane/start.ts";
import { publishModel } from "../../cli/publish.ts";
import { ORT_FILES, ORT_PATH } from "../../client/runtime/ort-files.ts";
import type { Leasehold as Sdk, LeaseholdOptions } from "../../client/sdk/leasehold.ts";
import { BLOCK_DECODER_CONFIG, blockDecoderFile } from "../support/block-decoder.ts";
import { rendererBytes } from "../support/process-memory.ts";
import { expectedOf, madeModel, smallDecoder, titled } from "../support/real-models.ts";
import { person } from "../support/sdk-page.ts";
import { classifierModel, colourModel, nliModel, pictureEmbeddingModel, rankingModel, taggerModel, wavesModel } from "../support/small-models.ts";
import { byteLevelTokenizer } from "../support/small-tokenizers.ts";
import { type SdkSite, sdkSite } from "../support/sdk-site.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const small = smallDecoder();
const STORIES = small.folder ?? "";
/** The script makes MiniLM in a minute where nobody has yet. */
const MAKING_MS = 600_000;

interface Case {
  readonly prompt: string;
  readonly prompt_ids: readonly number[];
  readonly output_ids: readonly number[];
  readonly text: string;
}

declare global {
  var lh: Sdk;
}

const folder = temporaryFolder();
let plane: ControlPlane;
let site: SdkSite;
let admin: Api;
let browser: BrowserContext;
let page: Page;
let cases: readonly Case[];
let options: LeaseholdOptions;

/** Greedy text after the prompt. */
const told = ({ prompt, text }: Case) => text.slice(prompt.length);

/** These files on the disk, to be published. */
const written = (name: string, files: Readonly<Record<string, string | Uint8Array>>) =>
  Object.entries(files).map(([path, bytes]) => {
    const source = join(folder.path, name, path);
    mkdirSync(dirname(source), { recursive: true });
    writeFileSync(source, bytes);
    return { path, source };
  });

describe.skipIf(small.missing !== null)(titled("text in a tenant's page", small), () => {
  beforeAll(async () => {
    ({ cases } = JSON.parse(readFileSync(expectedOf("tinystories"), "utf8")) as { cases: Case[] });
    plane = await startControlPlane({ stateDir: join(folder.path, "state"), port: "any", log: () => undefined });
    site = await sdkSite(join(folder.path, "vite"), { path: ORT_PATH, files: ORT_FILES });
    const operator = apiAt(plane.url, plane.operatorKey);
    await operator.post("/v1/tenants", tenantCreate.parse({ id: "tales", name: "Tales", policy: { daily_token_limit: 100_000, tokens_per_minute: 100_000 } }), tenant);
    const { key } = await operator.post("/v1/tenants/tales/keys", { type: "secret", name: "admin", scopes: ["admin", "read"] }, keyCreated);
    admin = apiAt(plane.url, key);
    const files = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "onnx/model.onnx"].map((path) => ({ path, source: join(STORIES, path) }));
    const [{ prompt_ids: [...input_ids], output_ids }] = cases as [Case];
    const publish = (model: string, expected: readonly number[]) =>
      publishModel(admin, "tales", model, { task: "text-generation", usage: { measure: "text-tokens" }, prices: { input_nanos_per_token: 1, output_nanos_per_token: 2 }, variants: [{ id: "fp32", files }], self_test: { kind: "tokens", input_ids, output_ids: [...expected] } });
    await publish("stories", output_ids.slice(0, 8));
    const topics = written("topics", classifierModel());
    const { file, config } = byteLevelTokenizer();
    const blocks = written("blocks", { "config.json": JSON.stringify(BLOCK_DECODER_CONFIG), "tokenizer.json": JSON.stringify(file), "tokenizer_config.json": JSON.stringify(config), "onnx/model.onnx": blockDecoderFile() });
    await publishModel(admin, "tales", "blocks", { task: "text-generation", usage: { measure: "text-tokens" }, prices: { input_nanos_per_token: 1, output_nanos_per_token: 2 }, variants: [{ id: "q4", files: blocks }] });
    await publishModel(admin, "tales", "topics", { task: "text-classification", usage: { measure: "text-tokens" }, prices: { input_nanos_per_token: 1, output_nanos_per_token: 0 }, variants: [{ id: "fp32", files: topics }] });
    await publish("other-stories", [...output_ids.slice(0, 7), 5]);
    const { key: publishable } = await admin.post("/v1/tenants/tales/keys", { type: "publishable", name: "page", origins: [site.origin] }, keyCreated);

    options = { baseUrl: plane.url, publishableKey: publishable, user: "reader-1", backend: "wasm" as const };
    browser = await person(join(folder.path, "profile"));
    page = await browser.newPage();
    await page.goto(`${site.origin}/page`);
    await page.waitForFunction(() => "Leasehold" in globalThis);
    await page.evaluate(
      (options) => {
        globalThis.lh = new (globalThis.Leasehold as unknown as typeof Sdk)(options);
      },
      options,
    );
  });

  afterAll(async () => {
    await browser?.close();
    await site?.[Symbol.asyncDispose]();
    await plane?.stop();
  });

  const used = async () => (await admin.get("/v1/tenants/tales/quota", quota)).daily_token_limit;
  const complete = (request: Record<string, unknown>) => page.evaluate((given) => globalThis.lh.completions.create({ model: "stories", prompt: "", ...given }), request);

  test("a story streams as the reference tells it, and is paid for by the token", async () => {
    const story = cases[0] as Case;
    const before = await used();
    const { pieces, last, usages } = await page.evaluate(async () => {
      const stream = await globalThis.lh.completions.create({ model: "stories", prompt: "", max_tokens: 64, stream: true, stream_options: { include_usage: true } });
      const chunks = [];
      for await (const chunk of stream) chunks.push(chunk);
      return { pieces: chunks.map(({ choices }) => choices[0]?.text ?? ""), last: chunks.at(-1), usages: chunks.map(({ usage }) => usage) };
    });
    expect(pieces.filter((piece) => piece !== "").length).toBeGreaterThan(1); // a frame's text at a time
    expect(told(story).startsWith(pieces.join(""))).toBe(true);
    expect(pieces.join("").length).toBeGreaterThan(100);
    expect(usages.slice(0, -1).every((usage) => usage === null)).toBe(true);
    expect(last).toMatchObject({ usage: { prompt_tokens: 1, completion_tokens: 64, total_tokens: 65 }, leasehold: { backend: "wasm", stop_codes: ["max-tokens"], lease_ids: [expect.stringMatching(/^ls_/)] } });
    const after = await used();
    expect(after).toMatchObject({ posted: before.posted + 65, held: 0 });
  });

  test("a prompt goes on as the reference does; one that shares its beginning is not computed again", async () => {
    const story = cases[1] as Case;
    const answer = await complete({ prompt: story.prompt, max_tokens: 40 });
    expect(told(story).startsWith(answer.choices[0]?.text ?? "-")).toBe(true);
    const longer = await complete({ prompt: `${story.prompt}${answer.choices[0]?.text}`, max_tokens: 4 });
    expect(longer.usage?.prompt_tokens_details.cached_tokens).toBeGreaterThan(20);
  });

  test("a seed tells the same stories, also after others were told; a stop string ends one", async () => {
    const request = { prompt: "Once upon a time, there was a little girl", max_tokens: 24, temperature: 1.2, seed: 7, n: 3 };
    const texts = async () => (await complete(request)).choices.map(({ index, text }) => [index, text]);
    const first = await texts();
    expect(new Set(first.map(([, text]) => text)).size).toBe(3);
    await complete({ prompt: "Once upon a time, there was a little girl who", max_tokens: 12, temperature: 1 });
    await complete({ prompt: "The end. ".repeat(30), max_tokens: 3 });
    expect(await texts()).toEqual(first);
    const { usage } = await complete(request);
    expect(usage?.completion_tokens).toBeLessThanOrEqual(72);
    expect(usage?.total_tokens).toBe((usage?.prompt_tokens ?? 0) + (usage?.completion_tokens ?? 0));
    expect((await complete({ max_tokens: 200, stop: ["Lily"] })).choices[0]).toMatchObject({ text: "Once upon a time, there was a little girl named ", finish_reason: "stop" });
  });

  test("conversations on one model go on where they were, also at once, and share how they begin", async () => {
    const shared = "You are a kind old woman who tells stories to children in the evening, and all of them end well. ";
    const prompts = ["Tom and the big dog", "Lily and the red ball"].map((about) => `${shared}${`${about} went out. `.repeat(9).trim()}`);
    const alone: Awaited<ReturnType<typeof complete>>[] = [];
    for (const prompt of prompts) alone.push(await complete({ prompt, max_tokens: 12 }));
    expect(alone[1]?.usage?.prompt_tokens_details.cached_tokens).toBeGreaterThan(20); // how they begin
    const turns = prompts.map((prompt, at) => `${prompt}${alone[at]?.choices[0]?.text} And then`);
    const together = await Promise.all([...prompts, ...turns].map((prompt) => complete({ prompt, max_tokens: 12 })));
    expect(together.slice(0, 2).map(({ choices }) => choices[0]?.text)).toEqual(alone.map(({ choices }) => choices[0]?.text));
    together.slice(2).forEach(({ usage }, at) => expect(usage?.prompt_tokens_details.cached_tokens).toBeGreaterThanOrEqual(alone[at]?.usage?.prompt_tokens ?? Infinity));
  });

  test("tokens' chances come with where each begins, streamed or not", async () => {
    const request = { prompt: "Once upon", max_tokens: 6, logprobs: 2 };
    const [choice] = (await complete(request)).choices;
    expect(choice?.logprobs?.tokens.join("")).toBe(choice?.text);
    expect(choice?.logprobs?.text_offset[0]).toBe("Once upon".length);
    expect(choice?.logprobs?.token_logprobs.every((logprob) => logprob <= 0)).toBe(true);
    expect(choice?.logprobs?.top_logprobs.map((top) => Object.keys(top).length)).toEqual([2, 2, 2, 2, 2, 2]);
    const streamed = await page.evaluate(async (given) => {
      const all = [];
      for await (const { choices } of await globalThis.lh.completions.create({ model: "stories", ...given, stream: true })) all.push(...(choices[0]?.logprobs?.text_offset ?? []));
      return all;
    }, request);
    expect(streamed).toEqual(choice?.logprobs?.text_offset);
  });

  test("a stop at any moment is heard, and the model goes on", async () => {
    const codes = await page.evaluate(async () => {
      const codes: string[] = [];
      for (const afterMs of [0, 1, 3, 8, 15]) {
        const call = globalThis.lh.completions.create({ model: "stories", prompt: "Once", max_tokens: 400 }, { signal: AbortSignal.timeout(afterMs) });
        codes.push(await call.then(() => "done", (error: { code: string }) => error.code));
      }
      for (const chunks of [1, 2]) {
        const stop = new AbortController();
        const stream = await globalThis.lh.completions.create({ model: "stories", prompt: "Once", max_tokens: 400, stream: true }, { signal: stop.signal });
        let seen = 0;
        const read = async () => {
          for await (const _ of stream) if (++seen === chunks) stop.abort();
        };
        codes.push(await read().then(() => "done", (error: { code: string }) => error.code));
      }
      return codes;
    });
    expect(codes).toEqual(Array(7).fill("aborted"));
    expect((await complete({ max_tokens: 5 })).usage?.completion_tokens).toBe(5);
    await eventually(used, ({ held }) => held === 0);
  });

  test("whoever leaves the stream pays for what was written, and the next story is told", async () => {
    const before = await used();
    await page.evaluate(async () => {
      const stream = await globalThis.lh.completions.create({ model: "stories", prompt: "", max_tokens: 400, stream: true });
      let count = 0;
      for await (const _ of stream) if (++count === 2) break;
    });
    const after = await eventually(used, ({ held }) => held === 0);
    expect(after.posted - before.posted).toBeGreaterThanOrEqual(3);
    expect(after.posted - before.posted).toBeLessThan(350); // not the 401 of the whole story; how soon it stops depends on the machine
    expect((await complete({ max_tokens: 5 })).usage?.completion_tokens).toBe(5);
  });

  test("what the model was not made for, and what doesn't fit, is refused with its code and costs nothing", async () => {
    const before = await used();
    const codeOf = (request: Record<string, unknown>) =>
      page.evaluate(
        (given) => ("messages" in given ? globalThis.lh.chat.completions.create(given as never) : globalThis.lh.completions.create(given as never)).then(() => "done", (error: { code: string }) => error.code),
        { model: "stories", ...request },
      );
    expect(await codeOf({ messages: [{ role: "user", content: "hi" }] })).toBe("invalid-request");
    expect(await codeOf({ prompt: "a".repeat(5000) })).toBe("context-length-exceeded");
    expect(await codeOf({ model: "none", prompt: "a" })).toBe("model-not-available");
    expect(await codeOf({ messages: [{ role: "user", content: "hi" }], tool_choice: "required" })).toBe("invalid-request");
    const limit = await page.evaluate(() => globalThis.lh.completions.create({ model: "stories", prompt: "a".repeat(5000) }).then(() => null, (error: { limit?: number }) => error.limit));
    expect(limit).toBe(JSON.parse(readFileSync(join(STORIES, "config.json"), "utf8")).max_position_embeddings);
    expect(await used()).toMatchObject({ posted: before.posted, held: 0 });
  });

  test("a model that misses the self-test of its manifest is not used, and costs nothing", async () => {
    const before = await used();
    const error = await page.evaluate(() => globalThis.lh.completions.create({ model: "other-stories", prompt: "" }).then(() => null, ({ code, message }: { code: string; message: string }) => ({ code, message })));
    expect(error).toMatchObject({ code: "backend-unavailable", message: expect.stringMatching(/at place 8 of 8, not 5/) });
    expect(await used()).toMatchObject({ posted: before.posted, held: 0 });
  });

  test("short calls one upon another share a lease; a page that goes away has paid for what it was given", async () => {
    const before = await used();
    const visitor = await browser.newPage();
    await visitor.goto(`${site.origin}/page`);
    await visitor.waitForFunction(() => "Leasehold" in globalThis);
    const answers = await visitor.evaluate(async (options) => {
      const lh = new (globalThis.Leasehold as unknown as typeof Sdk)(options);
      const answers = [];
      for (let count = 0; count < 4; count++) answers.push(await lh.classify({ model: "topics", input: "good" }));
      return answers.map(({ data }) => data[0]?.[0]?.label);
    }, options);
    await visitor.goto("about:blank");
    await visitor.close();
    expect(answers).toEqual(Array(4).fill("POSITIVE"));
    expect(await eventually(used, ({ held }) => held === 0)).toMatchObject({ posted: before.posted + 4 * 3 });
  });

  test.each([
    ["on onnxruntime", "topics", {}],
    ["on kernels of our own, with nothing of onnxruntime to be had", "blocks", { engineUrl: "/nowhere/" }],
  ])("memory stays as it was after 50 times of loading and unloading a model %s", { timeout: 300_000 }, async (_, model, more) => {
    const cycle = (times: number) =>
      page.evaluate(
        async ({ count, model, options }) => {
          const lh = new (globalThis.Leasehold as unknown as typeof Sdk)(options);
          for (let at = 0; at < count; at++) {
            await lh.models.load(model);
            await lh.models.unload(model);
          }
          const left = lh.models.list().map(({ model }) => model);
          lh.close();
          return left;
        },
        { count: times, model, options: { ...options, ...more } },
      );
    await cycle(1);
    const first = await rendererBytes(page);
    expect(await cycle(50)).not.toContain(model);
    // What a worker had goes back to the machine a little after its end.
    await expect.poll(() => rendererBytes(page), { timeout: 60_000, interval: 1000 }).toBeLessThanOrEqual(first * 1.1);
  });

  test("D1 has each answer, with its tokens and its speed", async () => {
    const answer = await complete({ max_tokens: 20 });
    const [lease = ""] = answer.leasehold?.lease_ids ?? [];
    const state = await admin.get(`/v1/leases/${lease}`, leaseState.partial());
    expect(state).toMatchObject({ state: "settled", used: 21 });
    const usage = z.object({ data: z.array(z.looseObject({ input_tokens: z.number(), output_tokens: z.number() })) });
    const rows = await eventually(() => admin.get("/v1/tenants/tales/usage?group_by=model", usage), ({ data }) => (data[0]?.output_tokens ?? 0) > 150);
    expect(rows.data[0]?.input_tokens).toBeGreaterThan(5);
  });

  test("each task answers in its shape through the SDK, costs what its manifest says, and says what is wrong with a call", async () => {
    const textTokens = { measure: "text-tokens" } as const;
    const models = {
      names: { task: "token-classification", usage: textTokens, files: taggerModel() },
      nli: { task: "zero-shot-classification", usage: textTokens, files: nliModel() },
      colours: { task: "image-classification", usage: { measure: "image-tokens" }, files: colourModel() },
      pictures: { task: "image-embeddings", usage: { measure: "per-run", tokens: 9 }, files: pictureEmbeddingModel() },
      ranks: { task: "text-ranking", usage: textTokens, files: rankingModel() },
      waves: { task: "raw", usage: { measure: "per-run", tokens: 7 }, files: wavesModel() },
    } as const;
    for (const [name, { task, usage, files }] of Object.entries(models)) await publishModel(admin, "tales", name, { task, usage, prices: { input_nanos_per_token: 1, output_nanos_per_token: 0 }, variants: [{ id: "fp32", files: written(name, files) }] });
    const before = await used();
    const { names, nli, colours, pictures, ranks, tensors, waves } = await page.evaluate(async () => {
      const { lh } = globalThis;
      const canvas = new OffscreenCanvas(30, 25); // 750 pixels: a token
      const context = canvas.getContext("2d");
      if (!context) throw new Error("no canvas");
      context.fillStyle = "#00f";
      context.fillRect(0, 0, 30, 25);
      const blue = await canvas.convertToBlob();
      const ids = { type: "int64", dims: [1, 3], data: BigInt64Array.of(2n, 6n, 3n) } as const; // [CLS] goal [SEP]
      const { logits } = await lh.run({ model: "ranks", inputs: { input_ids: ids, attention_mask: { ...ids, data: BigInt64Array.of(1n, 1n, 1n) } } });
      const { y, ...waves } = await lh.run({ model: "waves", inputs: { x: { type: "float32", dims: [2], data: Float32Array.of(0, Math.PI / 2) } } });
      return {
        names: await lh.tag({ model: "names", input: "The vote is about Anna." }),
        nli: await lh.classify({ model: "nli", input: ["the goal"], labels: ["vote", "goal"], hypothesis_template: "the {}" }),
        colours: await lh.classify({ model: "colours", input: blue }),
        pictures: (await lh.embeddings.ofImages({ model: "pictures", input: [blue] })).data.map((numbers) => [...numbers]),
        ranks: await lh.tasks.run({ model: "ranks", task: "text-ranking", input: { query: "goal", documents: ["the vote", "goal"] } }),
        tensors: logits && [...logits.data],
        waves: Object.entries({ ...waves, ...(y && { y }) }).map(([name, { type, dims, data }]) => ({ name, type, dims, data: Array.from(data as Float32Array) })),
      };
    });
    expect(names.data).toEqual([[{ entity: "PER", text: "Anna", start: 18, end: 22, score: expect.closeTo(0.997, 2) }]]);
    expect(nli.data[0]?.map(({ label }) => label)).toEqual(["goal", "vote"]);
    expect(colours.data[0]?.[0]).toEqual({ label: "blue", score: expect.any(Number) });
    expect(pictures).toEqual([[expect.closeTo(-1 / Math.sqrt(3), 3), expect.closeTo(-1 / Math.sqrt(3), 3), expect.closeTo(1 / Math.sqrt(3), 3)]]);
    expect(ranks).toMatchObject({ output: { results: [{ index: 1, score: expect.closeTo(1 / (1 + Math.exp(-4)), 3) }, { index: 0 }] }, usage: { total_tokens: 6 + 5 } });
    expect(tensors).toEqual([1]);
    expect(waves).toEqual([{ name: "waves", type: "float32", dims: [2], data: [expect.closeTo(1, 5), expect.closeTo(Math.E, 4)] }]);
    for (const { leasehold } of [names, nli, colours, ranks]) expect(leasehold).toMatchObject({ backend: "wasm", lease_ids: [expect.stringMatching(/^ls_/)], request_id: expect.stringMatching(/^req_/) });

    const codes = await page.evaluate(async () => {
      const { lh } = globalThis;
      const x = { type: "float32", dims: [1], data: Float32Array.of(1) } as const;
      const wrong = {
        missing: lh.run({ model: "waves", inputs: {} }),
        unknown: lh.run({ model: "waves", inputs: { x, z: x } }),
        type: lh.run({ model: "waves", inputs: { x: { ...x, type: "int32" } } }),
        dims: lh.run({ model: "waves", inputs: { x: { ...x, dims: [2] } } }),
        rank: lh.run({ model: "waves", inputs: { x: { ...x, dims: [1, 1] } } }),
        task: lh.tag({ model: "nli", input: "a" }),
        free: lh.run({ model: "nli", inputs: { x } }),
        written: lh.tasks.run({ model: "ranks", task: "text-generation" as never, input: {} as never }),
        picture: lh.classify({ model: "colours", input: new Blob(["no picture"]) }),
        labels: lh.classify({ model: "nli", input: "a", labels: [] }),
        long: lh.tag({ model: "names", input: "anna ".repeat(200) }),
      };
      const code = (call: Promise<unknown>) => call.then(() => "done", (error: { code: string }) => error.code);
      return Object.fromEntries(await Promise.all(Object.entries(wrong).map(async ([name, call]) => [name, await code(call)] as const)));
    });
    expect(codes).toEqual({ missing: "input-invalid", unknown: "input-invalid", type: "input-invalid", dims: "input-invalid", rank: "input-invalid", task: "model-invalid", free: "invalid-request", written: "model-invalid", picture: "image-unreadable", labels: "invalid-request", long: "context-length-exceeded" });
    // The text's tokens, of the pair for each label or document; the ids of tensors; the picture's; what the other two state. What was refused cost nothing.
    const after = await eventually(used, ({ held }) => held === 0);
    expect(after.posted - before.posted).toBe(8 + 2 * 7 + (6 + 5) + 3 + 1 + 9 + 7);
  });

  test("embeddings are the reference's, whatever texts they come with", { timeout: MAKING_MS }, async ({ skip }) => {
    const { folder, missing } = await madeModel("minilm");
    if (missing !== null) return skip(missing);
    const reference = JSON.parse(readFileSync(expectedOf("minilm"), "utf8")) as { sentences: string[]; token_ids: number[][]; first8: number[][]; cosines: number[][] };
    const files = ["config.json", "tokenizer.json", "tokenizer_config.json", "1_Pooling/config.json", "onnx/model_quantized.onnx"].map((path) => ({ path, source: join(folder, path) }));
    await publishModel(admin, "tales", "minilm", { task: "feature-extraction", usage: { measure: "text-tokens" }, prices: { input_nanos_per_token: 1, output_nanos_per_token: 0 }, variants: [{ id: "q8", files }] });
    const { each, together, packed } = await page.evaluate(async (sentences) => {
      const each = [];
      for (const input of sentences) each.push(await globalThis.lh.embeddings.create({ model: "minilm", input }));
      return { each, together: await globalThis.lh.embeddings.create({ model: "minilm", input: sentences }), packed: await globalThis.lh.embeddings.create({ model: "minilm", input: sentences[0] ?? "", encoding_format: "base64", dimensions: 64 }) };
    }, reference.sentences);
    const cosine = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0) / Math.hypot(...a) / Math.hypot(...b);
    each.forEach(({ data, usage }, at) => {
      const embedding = data[0]?.embedding as number[];
      expect([embedding.length, Math.hypot(...embedding)]).toEqual([384, expect.closeTo(1, 4)]);
      expect(cosine(embedding.slice(0, 8), reference.first8[at] ?? [])).toBeGreaterThan(0.999);
      expect(usage.prompt_tokens).toBe(reference.token_ids[at]?.length);
    });
    const vectors = each.map(({ data }) => data[0]?.embedding as number[]);
    reference.cosines.forEach((row, at) => row.forEach((expected, other) => expect(Math.abs(cosine(vectors[at] ?? [], vectors[other] ?? []) - expected), `${at} and ${other}`).toBeLessThan(1e-3)));
    // Texts of one batch share their dynamic int8 scales.
    together.data.forEach(({ embedding }, at) => expect(cosine(embedding as number[], (each[at]?.data[0]?.embedding ?? []) as number[])).toBeGreaterThan(0.98));
    expect(together.usage.prompt_tokens).toBe(reference.token_ids.flat().length);
    const bytes = Buffer.from(packed.data[0]?.embedding as string, "base64");
    const floats = Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(at * 4));
    expect([floats.length, Math.hypot(...floats)]).toEqual([64, expect.closeTo(1, 4)]);
  });
});
