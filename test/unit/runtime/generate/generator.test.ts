import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LeaseholdError } from "../../../../client/errors.ts";
import { Generator } from "../../../../client/runtime/generate/generator.ts";
import { sliceOf } from "../../../../client/sdk/text/hold.ts";
import type { ChosenToken, GenerateEvent, GenerateInput, GenerateNote, Tool } from "../../../../client/runtime/tasks/text-generation/request.ts";
import { Tokenizer } from "../../../../client/runtime/tokenizer/tokenizer.ts";
import { BigramDecoder } from "../../../support/bigram-decoder.ts";
import { byteLevelTokenizer } from "../../../support/small-tokenizers.ts";

const { file, config } = byteLevelTokenizer([" the", " cat", "ing", "世", '{"', '":', '"}', "<tool_call>"]);
const hermes = `{% if tools %}Answer with <tool_call>.{% endif %}${String(config["chat_template"])}`;
const tokenizer = new Tokenizer(file, { ...config, chat_template: hermes }, null);
const END = tokenizer.idOf("<|end|>") ?? -1;
const ids = (text: string) => tokenizer.encode(text, { addSpecialTokens: false }).ids;

const plain: GenerateInput = {
  kind: "generate",
  prompt: { kind: "text", text: "Tell me" },
  sampling: {},
  maxTokens: 60,
  stop: [],
  choices: 1,
  logprobs: null,
  format: { type: "text" },
  hold: null,
};
const chat = (content: string, more: Partial<GenerateInput> = {}): GenerateInput => ({ ...plain, prompt: { kind: "chat", messages: [{ role: "user", content }], tools: [], toolChoice: "auto", isParallel: true }, ...more });
const generate = (input: Partial<GenerateInput> = {}): GenerateInput => ({ ...plain, ...input });

function made(says = "a 世 cat", { isEnding = true, contextLength }: { isEnding?: boolean; contextLength?: number } = {}) {
  const decoder = new BigramDecoder({ vocabulary: tokenizer.bytes.bytes.length + 5, saying: [...ids(says), ...(isEnding ? [END] : [])], contextLength });
  const generator = new Generator({ decoder, tokenizer, generationConfig: { eos_token_id: END }, modelConfig: {} });
  return { decoder, generator, said: (input: GenerateInput) => run(generator, input) };
}

async function run(generator: Generator, input: GenerateInput, onEvent?: (event: GenerateEvent) => void, step: () => Promise<void> = async () => undefined, notes: () => GenerateNote[] = () => [{ kind: "no-more" }]) {
  const texts: string[] = [];
  const pieces: string[] = [];
  const tokens: ChosenToken[] = [];
  const calls: { name: string; arguments: string }[] = [];
  const endings: { reason: string; why: string }[] = [];
  const output = await generator.run(input, step, {
    notes,
    emit(event) {
      if (event.kind === "piece") {
        texts[event.choice] = (texts[event.choice] ?? "") + event.text;
        pieces.push(event.text);
        tokens.push(...event.tokens);
      }
      if (event.kind === "tool-call") calls.push(event.call.function);
      if (event.kind === "ended") endings.push({ reason: event.reason, why: event.why });
      onEvent?.(event);
    },
  });
  return { ...output, texts, text: texts[0] ?? "", pieces, tokens, calls, endings };
}

describe("an answer", () => {
  it("ends at the model's end token, which is no text and no usage", async () => {
    const result = await made("a 世 cat").said(plain);
    expect(result).toMatchObject({ text: "a 世 cat", endings: [{ reason: "stop", why: "end-token" }], promptTokens: ids("Tell me").length, outputTokens: ids("a 世 cat").length });
  });

  it("ends at the tokenizer's own end token, also where its config states it as an object", async () => {
    const own = new Tokenizer(file, { ...config, eos_token: { content: "<|end|>", lstrip: false } }, null);
    const decoder = new BigramDecoder({ vocabulary: own.bytes.bytes.length + 5, saying: [...ids("a cat"), END] });
    const result = await run(new Generator({ decoder, tokenizer: own, generationConfig: {}, modelConfig: {} }), plain);
    expect(result).toMatchObject({ text: "a cat", endings: [{ reason: "stop", why: "end-token" }] });
  });

  it("streams pieces that joined are the text", async () => {
    const result = await made("世界 the cat 👩‍👩‍👧").said(plain);
    expect(result.pieces.length).toBeGreaterThan(3);
    expect(result.pieces.join("")).toBe("世界 the cat 👩‍👩‍👧");
  });

  it("ends at the limit of tokens", async () => {
    const result = await made("abcdefgh").said(generate({ maxTokens: 3 }));
    expect(result).toMatchObject({ text: "abc", outputTokens: 3, endings: [{ reason: "length", why: "max-tokens" }] });
  });

  it("computes nothing for a token after the last; the next turn computes that one with its own", async () => {
    const { said, decoder } = made("abcdefgh");
    await said(generate({ maxTokens: 3 }));
    expect(decoder.computed).toBe(ids("Tell me").length + 2);
    const prompt = ids("Tell meabc and");
    const next = await said(generate({ prompt: { kind: "tokens", ids: prompt }, maxTokens: 1 }));
    expect(next.cachedTokens).toBe(ids("Tell meab").length);
    expect(decoder.computed).toBe(prompt.length);
  });

  it.each([["cd", "ab"], ["bcd", "a"], ["the cat", "abcdef "], ["xyz", "abcdef the cat"], ["a", ""]])("stops before %j, across tokens", async (stop, text) => {
    const result = await made("abcdef the cat").said(generate({ stop: [stop, "never"] }));
    expect(result.text).toBe(text);
    expect(result.endings[0]?.why).toBe(stop === "xyz" ? "end-token" : "stop-string");
  });

  it("ends when the hold is used up, and says so", async () => {
    const hold = ids("Tell me").length + 4;
    const result = await made("abcdefgh").said(generate({ hold }));
    expect(result).toMatchObject({ text: "abcd", outputTokens: 4, endings: [{ reason: "length", why: "hold-used-up" }] });
  });

  it("goes on where the hold grows in time", async () => {
    const hold = ids("Tell me").length + 2;
    const { generator } = made("abcdefgh");
    const notes: GenerateNote[] = [];
    const asked: number[] = [];
    const result = await run(generator, generate({ hold }), (event) => {
      if (event.kind !== "count" || !event.isOut) return;
      asked.push(event.outputTokens);
      notes.push(asked.length === 1 ? { kind: "hold", tokens: hold + 3 } : { kind: "no-more" });
    }, undefined, () => notes.splice(0));
    expect(asked).toEqual([2, 5]);
    expect(result).toMatchObject({ text: "abcde", endings: [{ reason: "length", why: "hold-used-up" }] });
  });

  it("ends where the context is full, and refuses a prompt that doesn't fit", async () => {
    const length = ids("Tell me").length;
    const result = await made("abcdefgh", { contextLength: length + 3 }).said(plain);
    expect(result).toMatchObject({ text: "abcd", endings: [{ reason: "length", why: "context-length-exceeded" }], contextLength: length + 3 });
    // As the page holds for it: what ended it is the context, not the hold.
    const held = await made("abcdefgh", { contextLength: length + 3 }).said(generate({ hold: length + sliceOf({ maxTokens: 60, choices: 1 }, length, length + 3) }));
    expect(held).toMatchObject({ text: "abcd", endings: [{ reason: "length", why: "context-length-exceeded" }] });
    await expect(made("a", { contextLength: length }).said(plain)).rejects.toMatchObject({ code: "context-length-exceeded" });
  });

  it("ends where the device has no room for the next token, and goes on with the next call", async () => {
    const most = ids("Tell me").length + 3;
    class Short extends BigramDecoder {
      override async feed(...[given, step]: Parameters<BigramDecoder["feed"]>) {
        if (this.position + given.length > most) throw new LeaseholdError("context-length-exceeded", "no room");
        return super.feed(given, step);
      }
    }
    const decoder = new Short({ vocabulary: tokenizer.bytes.bytes.length, saying: ids("abcdefgh") });
    const generator = new Generator({ decoder, tokenizer, generationConfig: {}, modelConfig: {} });
    const ending = { text: "abcd", endings: [{ reason: "length", why: "context-length-exceeded" }], outputTokens: 4 };
    expect(await run(generator, plain)).toMatchObject(ending);
    expect(await run(generator, plain)).toMatchObject(ending);
  });

  it("counts a prompt without generating", async () => {
    const { said, decoder } = made();
    expect(await said(chat("hi", { kind: "measure" }))).toMatchObject({ promptTokens: ids("<|user|>hi<|end|><|assistant|>").length, outputTokens: 0 });
    expect(decoder.computed).toBe(0);
  });

  it.each<[string, Partial<GenerateInput>, string]>([
    ["a temperature out of range", { sampling: { temperature: 3 } }, "invalid-request"],
    ["top_p out of range", { sampling: { topP: -1 } }, "invalid-request"],
    ["half a token of the likeliest", { sampling: { topK: 2.5 } }, "invalid-request"],
    ["half a chance", { logprobs: 0.5 }, "invalid-request"],
    ["a temperature that is no number", { sampling: { temperature: "1" as never } }, "invalid-request"],
    ["a token that the model doesn't have", { prompt: { kind: "tokens", ids: [1, tokenizer.bytes.bytes.length + 5] } }, "invalid-request"],
    ["a limit of no tokens", { maxTokens: 0 }, "invalid-request"],
    ["an empty stop string", { stop: [""] }, "invalid-request"],
    ["a schema that can't be kept", { format: { type: "json_schema", schema: { not: {} } } }, "schema-unsupported"],
    ["a role that the template refuses", { prompt: { kind: "chat", messages: [], tools: [], toolChoice: "auto", isParallel: true } }, "invalid-request"],
  ])("is refused before anything runs: %s", async (_, input, code) => {
    const { said, decoder } = made();
    await expect(said(generate(input))).rejects.toMatchObject({ code });
    expect(decoder.computed).toBe(0);
  });
});

describe("sampling", () => {
  it("gives the same text twice for a seed, and other texts for the other choices", async () => {
    const input = generate({ sampling: { temperature: 2, seed: 11, logitBias: { [END]: -100 } }, choices: 3, maxTokens: 12 });
    const say = () => made("", { isEnding: false }).said(input);
    const [once, twice] = [await say(), await say()];
    expect(once.texts).toEqual(twice.texts);
    expect(new Set(once.texts).size).toBe(3);
    expect(once.outputTokens).toBe(36);
  });

  it("is computed steadily for a seed, and as fast as may be without", async () => {
    const { said, decoder } = made("ab");
    for (const [sampling, isSteady] of [[{ seed: 3 }, true], [{ temperature: 1 }, false], [{ seed: 3, temperature: 0 }, false], [{ seed: 4 }, true]] as const) {
      await said(generate({ sampling }));
      expect([sampling, decoder.isSteady]).toEqual([sampling, isSteady]);
    }
  });

  it("computes the prompt once for all choices", async () => {
    const { said, decoder } = made("ab");
    const result = await said(generate({ choices: 3 }));
    expect(result.texts).toEqual(["ab", "ab", "ab"]);
    expect(decoder.computed).toBeLessThanOrEqual(ids("Tell me").length + 2 + 3 * 2);
  });

  it("takes top-k from the likeliest alone as from all", async () => {
    const draw = (topK: number, more = {}) => made("", { isEnding: false }).said(generate({ sampling: { temperature: 1.3, topK, seed: 5, ...more } }));
    // A bias of 0 makes it look at all logits.
    expect((await draw(8)).text).toBe((await draw(8, { logitBias: { 1: 0 } })).text);
  });

  it("tells each token's chance and the likeliest others", async () => {
    const { tokens, text } = await made("ab").said(generate({ logprobs: 2 }));
    expect(tokens.map((token) => token.text).join("")).toBe(text);
    expect(tokens[0]).toMatchObject({ text: "a", bytes: [97], logprob: expect.closeTo(0, 2), top: [{ text: "a" }, {}] });
  });
});

describe("chances of tokens that a stop string cuts", () => {
  const cut = (says: string, stop: string, prompt: GenerateInput["prompt"] = { kind: "text", text: "Tell me" }) => made(says).said(generate({ prompt, logprobs: 0, stop: [stop] }));

  it("come for those that begin in what is shown", async () => {
    const { text, tokens } = await cut("ab the cat", "he cat");
    expect(text).toBe("ab t");
    expect(tokens.map(({ text: of }) => of)).toEqual(["a", "b", " the"]);
  });

  it("come with the text, not before it", async () => {
    const { generator } = made("abxyz");
    const pieces: [string, string][] = [];
    await run(generator, generate({ logprobs: 0, stop: ["xyq"] }), (event) => void (event.kind === "piece" && pieces.push([event.text, event.tokens.map(({ text }) => text).join("")])));
    expect(pieces).toEqual([["a", "a"], ["b", "b"], ["xyz", "xyz"]]);
  });

  it("say where each begins, from the prompt's beginning", async () => {
    const { text, tokens } = await cut("世 the👩cat", "cat");
    expect(tokens.every(({ at, text: of }) => of.includes("\ufffd") || `Tell me${text}`.startsWith(of, at))).toBe(true);
    expect(tokens.every(({ at }, place) => at >= (tokens[place - 1]?.at ?? 0))).toBe(true);
    expect(tokens[0]?.at).toBe("Tell me".length);
    expect((await cut("ab", "q", { kind: "tokens", ids: ids("世 the") })).tokens[0]?.at).toBe("世 the".length);
  });

  it("don't come of a tool call", async () => {
    const look: Tool = { type: "function", function: { name: "look" } };
    const prompt = { kind: "chat", messages: [{ role: "user", content: "?" }], tools: [look], toolChoice: "auto", isParallel: true } as const;
    const { text, tokens, calls } = await made('ab<tool_call>{"name":"look","arguments":{}}</tool_call>').said(generate({ prompt, logprobs: 0, maxTokens: 200 }));
    expect([text, calls.length, tokens.map(({ text: of }) => of).join("")]).toEqual(["ab", 1, "ab"]);
  });
});

describe("held to JSON", () => {
  const schema = { type: "object", properties: { name: { type: "string", maxLength: 5 }, age: { type: "integer", minimum: 0, maximum: 150 } }, required: ["name", "age"], additionalProperties: false };

  it("writes what the schema says, whatever the model would rather say", async () => {
    for (const sampling of [{}, { temperature: 1.5, seed: 3 }]) {
      const result = await made("the cat ".repeat(30)).said(chat("who?", { format: { type: "json_schema", schema }, sampling, maxTokens: 200 }));
      expect(result.endings).toEqual([{ reason: "stop", why: expect.stringMatching(/complete|end-token/) }]);
      expect(JSON.parse(result.text)).toEqual({ name: expect.any(String), age: expect.any(Number) });
    }
  });

  it("says that it was cut where tokens end first", async () => {
    const result = await made("x").said(chat("who?", { format: { type: "json_schema", schema }, maxTokens: 3 }));
    expect(result.endings).toEqual([{ reason: "length", why: "max-tokens" }]);
  });
});

describe("tool calls", () => {
  const weather: Tool = { type: "function", function: { name: "weather", parameters: { type: "object", properties: { city: { enum: ["Rome", "Oslo"] } }, required: ["city"], additionalProperties: false } } };
  const ask = (toolChoice: "auto" | "required" | "none" | { name: string }, more: Partial<GenerateInput> = {}) =>
    generate({ prompt: { kind: "chat", messages: [{ role: "user", content: "Weather?" }], tools: [weather], toolChoice, isParallel: true }, maxTokens: 300, ...more });

  it("are read out of the text, with the text before them", async () => {
    const result = await made('the cat<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>').said(ask("auto"));
    expect(result).toMatchObject({ text: "the cat", calls: [{ name: "weather", arguments: '{"city":"Oslo"}' }], endings: [{ reason: "tool_calls", why: "tool-calls" }] });
  });

  it("are held to the tool's schema once begun", async () => {
    const result = await made('<tool_call>{"name": "nuke", "arguments": {"city": "Atlantis", "x": 1}}</tool_call>').said(ask("auto"));
    expect(result.calls[0]).toMatchObject({ name: "weather" });
    expect(["Rome", "Oslo"]).toContain(JSON.parse(result.calls[0]?.arguments ?? "").city);
  });

  it("may be of tools without parameters, and go back without arguments", async () => {
    const look: Tool = { type: "function", function: { name: "look", parameters: null as never } };
    const call = { id: "c", type: "function", function: { name: "look", arguments: "" } } as const;
    const messages = [{ role: "user", content: "?" }, { role: "assistant", content: "", tool_calls: [call] }, { role: "tool", content: "seen", tool_call_id: "c" }];
    const { calls } = await made('<tool_call>{"name":"look","arguments":{}}</tool_call>').said(generate({ prompt: { kind: "chat", messages, tools: [look], toolChoice: "auto", isParallel: true }, maxTokens: 200 }));
    expect(calls).toEqual([{ name: "look", arguments: "{}" }]);
  });

  it("come for certain where they are required", async () => {
    for (const toolChoice of ["required", { name: "weather" }] as const) {
      const result = await made("I would rather talk").said(ask(toolChoice));
      expect(result).toMatchObject({ text: "", calls: [{ name: "weather" }], endings: [{ reason: "tool_calls", why: "tool-calls" }] });
    }
  });

  it("don't come where there is nothing to call, or the choice is none", async () => {
    expect(await made("the cat").said(ask("auto"))).toMatchObject({ text: "the cat", calls: [] });
    expect(await made("the cat").said(ask("none"))).toMatchObject({ text: "the cat", calls: [] });
  });

  it("are refused for a model that was not taught any", async () => {
    const untaught = new Generator({ decoder: new BigramDecoder({ vocabulary: 300 }), tokenizer: new Tokenizer(file, config, null), generationConfig: {}, modelConfig: {} });
    await expect(run(untaught, ask("auto"))).rejects.toMatchObject({ code: "tools-unsupported" });
  });
});

describe("tokens that no text tells of", () => {
  const shown = async (says: string, input: GenerateInput) => {
    const { generator } = made(says);
    const told: number[] = [];
    const result = await run(generator, input, (event) => {
      if ("outputTokens" in event) told.push(event.outputTokens);
    });
    return { told, result, gaps: [...told, result.outputTokens].map((tokens, at) => tokens - (told[at - 1] ?? 0)) };
  };

  it("are told every few of them: in what may become a stop string", async () => {
    const { gaps, result } = await shown(`a${"b".repeat(60)}c`, generate({ stop: [`${"b".repeat(61)}`], maxTokens: 100 }));
    expect(result.text).toBe(`a${"b".repeat(60)}c`);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(8);
  });

  it("are told every few of them: in a tool call", async () => {
    const note: Tool = { type: "function", function: { name: "note", parameters: { type: "object", properties: { text: { type: "string" } }, required: ["text"] } } };
    const call = `<tool_call>{"name":"note","arguments":{"text":"${"abcdefghijklmnopqrstuvwxyz".repeat(3)}"}}</tool_call>`;
    const { gaps, result, told } = await shown(call, generate({ prompt: { kind: "chat", messages: [{ role: "user", content: "Note" }], tools: [note], toolChoice: "auto", isParallel: true }, maxTokens: 300 }));
    expect(result.calls).toHaveLength(1);
    expect(told.length).toBeGreaterThan(8);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(8);
  });

  it("need no telling where text comes with each", async () => {
    const { generator } = made("abcdefghij");
    const counts: GenerateEvent[] = [];
    await run(generator, plain, (event) => void (event.kind === "count" && counts.push(event)));
    expect(counts).toEqual([]);
  });
});

describe("the prefix", () => {
  const turns = (...contents: string[]): GenerateInput =>
    generate({ prompt: { kind: "chat", messages: contents.map((content, at) => ({ role: at % 2 === 0 ? "user" : "assistant", content })), tools: [], toolChoice: "auto", isParallel: true } });

  it("of a chat's earlier turns is not computed again", async () => {
    const { said, decoder } = made("yes");
    await said(turns("A long question, with many words in it"));
    const before = decoder.computed;
    const second = await said(turns("A long question, with many words in it", "yes", "and?"));
    expect(second.cachedTokens).toBeGreaterThan(ids("A long question, with many words in it").length);
    expect(decoder.computed - before).toBeLessThan(second.promptTokens - second.cachedTokens + 6);
  });

  it("comes back when conversations take turns", async () => {
    const { said } = made("yes");
    const [one, two] = ["x".repeat(100), "y".repeat(100)];
    await said(turns(one));
    await said(turns(two));
    expect((await said(turns(one, "yes", "go on"))).cachedTokens).toBeGreaterThan(100);
    expect((await said(turns(two, "yes", "go on"))).cachedTokens).toBeGreaterThan(100);
  });

  it("comes back only from where there is room for it, and is not copied where there is none", async () => {
    let copies = 0;
    class Counted extends BigramDecoder {
      override save() {
        copies++;
        return super.save();
      }
    }
    const decoder = new Counted({ vocabulary: tokenizer.bytes.bytes.length, saying: [...ids("yes"), END] });
    const generator = new Generator({ decoder, tokenizer, generationConfig: { eos_token_id: END }, modelConfig: {}, keptBytes: 300 }); // of 75 tokens
    const [one, two, three] = ["x".repeat(100), "y".repeat(100), "z".repeat(55)];
    for (const content of [one, two, one, two]) expect((await run(generator, turns(content))).cachedTokens).toBeLessThan(10);
    expect(copies).toBe(1);
    await run(generator, turns(three));
    await run(generator, turns(one));
    expect((await run(generator, turns(three, "yes", "go on"))).cachedTokens).toBeGreaterThan(55);
    expect(copies).toBe(2);
  });

  it("never changes what is said", async () => {
    const { said } = made("", { isEnding: false });
    for (const text of ["abc", "abd", "abc", "a", "abcdef", "x".repeat(70), "abc", "x".repeat(75)]) {
      const fresh = await made("", { isEnding: false }).said(chat(text, { maxTokens: 8 }));
      expect((await said(chat(text, { maxTokens: 8 }))).text).toBe(fresh.text);
    }
  });
});

describe("an abort", () => {
  it("comes within one token, and leaves the model usable, at any moment", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 30 }), async (stopAt) => {
        const { generator, decoder } = made("abcdefghijklmnop");
        let steps = 0;
        const step = async () => {
          if (++steps === stopAt) throw new LeaseholdError("aborted", "stop");
        };
        const outcome = await run(generator, plain, undefined, step).catch((error: LeaseholdError) => error.code);
        if (typeof outcome === "string") expect(outcome).toBe("aborted");
        expect(steps).toBeLessThanOrEqual(Math.max(stopAt, ids("Tell me").length + 16));
        expect((await run(generator, plain)).text).toBe("abcdefghijklmnop");
        expect(decoder.ids.slice(0, ids("Tell me").length)).toEqual(ids("Tell me"));
      }),
      { numRuns: 40 },
    );
  });
});
