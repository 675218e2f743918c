/** Generation on the kernels themselves, with a small model that says nothing of sense: what holds for any text. */
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LeaseholdError } from "../../../../client/errors.ts";
import type { EngineOnDemand } from "../../../../client/runtime/backends/engine.ts";
import { openDecoder } from "../../../../client/runtime/decode/open-decoder.ts";
import { Generator } from "../../../../client/runtime/generate/generator.ts";
import { ModelFiles } from "../../../../client/runtime/tasks/model-files.ts";
import type { GenerateInput } from "../../../../client/runtime/tasks/text-generation/request.ts";
import { Tokenizer } from "../../../../client/runtime/tokenizer/tokenizer.ts";
import { BLOCK_DECODER_CONFIG, fileOf } from "../../../support/block-decoder.ts";
import { withVocabulary } from "../../../support/decoder-variants.ts";
import { byteLevelTokenizer } from "../../../support/small-tokenizers.ts";

const { file, config } = byteLevelTokenizer();
const tokenizer = new Tokenizer(file, config, null);
const spelled = tokenizer.bytes.bytes.length;
const vocabulary = Math.ceil(spelled / 8) * 8;
const END = tokenizer.idOf("<|end|>") ?? -1;
const noEngine: EngineOnDemand = { backend: "wasm", threads: 1, areThreadsFixed: true, start: () => Promise.reject(new Error("no engine is needed")) };
const never = async () => undefined;

async function made(): Promise<Generator> {
  const json = new TextEncoder().encode(JSON.stringify({ ...BLOCK_DECODER_CONFIG, vocab_size: vocabulary }));
  const files = new ModelFiles([{ path: "config.json", parts: [json] }, { path: "model.onnx", parts: [fileOf(withVocabulary(vocabulary))] }]);
  const decoder = await openDecoder(files, noEngine, { memoryBytes: 1e9 }, never);
  return new Generator({ decoder, tokenizer, generationConfig: { eos_token_id: END }, modelConfig: {} });
}

const ask = (more: Partial<GenerateInput> = {}): GenerateInput => ({
  kind: "generate", prompt: { kind: "text", text: "Once upon a time" }, sampling: { temperature: 1.5, seed: 1 }, maxTokens: 40, stop: [], choices: 1, logprobs: null, format: { type: "text" }, hold: null, ...more,
});

async function said(generator: Generator, input: GenerateInput, step: () => Promise<void> = never) {
  const [pieces, whys]: [string[][], string[]] = [[], []];
  const bytes: number[] = [];
  await generator.run(input, step, {
    notes: () => [],
    emit(event) {
      if (event.kind === "piece") {
        (pieces[event.choice] ??= []).push(event.text);
        bytes.push(...event.tokens.flatMap((token) => [...token.bytes]));
      }
      if (event.kind === "ended") whys[event.choice] = event.why;
    },
  });
  return { texts: pieces.map((parts) => parts.join("")), pieces: pieces.flat(), whys, bytes };
}

describe("on kernels", { timeout: 60_000 }, () => {
  test("pieces joined are what the tokens spell, and none has half a character", async () => {
    const generator = await made();
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000_000), fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }), async (seed, text) => {
        const { texts, pieces, bytes } = await said(generator, ask({ prompt: { kind: "text", text }, sampling: { temperature: 2, seed }, logprobs: 0 }));
        expect(texts[0] ?? "").toBe(new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes)));
        for (const piece of pieces) expect(piece.isWellFormed()).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("a seed says the same twice, whatever was said in between, with several choices too", async () => {
    const [generator, other] = [await made(), await made()];
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000_000), fc.integer({ min: 1, max: 3 }), async (seed, choices) => {
        const input = ask({ sampling: { temperature: 1.2, seed }, choices, maxTokens: 16 });
        const first = await said(generator, input);
        await said(generator, ask({ prompt: { kind: "text", text: `another ${seed}` }, maxTokens: 5 }));
        expect((await said(generator, input)).texts).toEqual(first.texts);
        expect((await said(other, input)).texts).toEqual(first.texts);
      }),
      { numRuns: 15 },
    );
  });

  test("an abort at any moment leaves the model as good as new", async () => {
    const [generator, fresh] = [await made(), await made()];
    const long = ask({ prompt: { kind: "text", text: "word after word ".repeat(12) }, sampling: {}, maxTokens: 20 });
    const expected = await said(fresh, long);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.string({ maxLength: 200 }), async (stopAt, text) => {
        let steps = 0;
        const stopping = said(generator, ask({ prompt: { kind: "text", text: `word after ${text}` } }), async () => {
          if (++steps === stopAt) throw new LeaseholdError("aborted", "stop");
        });
        const code = await stopping.then(() => null, (error: LeaseholdError) => error.code);
        expect(code).toBe(steps >= stopAt ? "aborted" : null);
        expect(await said(generator, long)).toEqual(expected);
      }),
      { numRuns: 25 },
    );
  });

  const name = fc.constantFrom("id", "größe", 'q"uote', "世界", "x");
  const leaf = fc.oneof(
    fc.constantFrom({ type: "boolean" }, { type: "null" }, { type: "integer", minimum: -20, maximum: 300 }, { enum: ["a", 1, null, "世"] }, { const: { deep: [1] } }),
    fc.record({ type: fc.constant("string"), minLength: fc.nat(2), maxLength: fc.integer({ min: 2, max: 6 }) }),
  );
  const { schema } = fc.letrec<{ schema: object }>((tie) => ({
    schema: fc.oneof(
      { maxDepth: 2 },
      leaf,
      fc.record({ type: fc.constant("array"), items: tie("schema"), minItems: fc.nat(1), maxItems: fc.constant(2) }),
      fc.uniqueArray(fc.tuple(name, tie("schema"), fc.boolean()), { minLength: 1, maxLength: 3, selector: ([key]) => key }).map((entries) => ({
        type: "object",
        properties: Object.fromEntries(entries.map(([key, value]) => [key, value])),
        required: entries.filter(([, , isRequired]) => isRequired).map(([key]) => key),
        additionalProperties: false,
      })),
    ),
  }));

  test("what is held to a schema parses and validates, for 200 schemas", async () => {
    const generator = await made();
    const ajv = new Ajv2020({ strict: false, ownProperties: true });
    let whole = 0;
    await fc.assert(
      fc.asyncProperty(schema, fc.nat(1_000_000), async (given, seed) => {
        const { texts, whys } = await said(generator, ask({ format: { type: "json_schema", schema: given }, sampling: { temperature: 1, seed }, maxTokens: 300 }));
        if (whys[0] === "max-tokens") return;
        whole++;
        const value: unknown = JSON.parse(texts[0] ?? "");
        expect(ajv.validate(given, value), `${texts[0]} ${ajv.errorsText()}`).toBe(true);
      }),
      { numRuns: 210 },
    );
    expect(whole).toBeGreaterThanOrEqual(200);
  });
});
