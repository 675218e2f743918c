import { describe, expect, it } from "vitest";
import { Generator } from "../../../../client/runtime/generate/generator.ts";
import { dialectOf } from "../../../../client/runtime/generate/tool-dialects.ts";
import type { GenerateInput, Tool, ToolCall, ToolChoice } from "../../../../client/runtime/tasks/text-generation/request.ts";
import { Tokenizer } from "../../../../client/runtime/tokenizer/tokenizer.ts";
import { BigramDecoder } from "../../../support/bigram-decoder.ts";
import { byteLevelTokenizer } from "../../../support/small-tokenizers.ts";

const weather: Tool = { type: "function", function: { name: "weather", parameters: { type: "object", properties: { city: { enum: ["Rome", "Oslo"] } }, required: ["city"], additionalProperties: false } } };

/** A model of the family whose markers these are, all of them special tokens; what it says may have them in it. */
function model(markers: readonly string[], says: string) {
  const { file, config } = byteLevelTokenizer(['{"', '":', '"}'], markers);
  const template = `{% if tools %}{# ${markers.join(" ")} #}{% endif %}${String(config["chat_template"])}`;
  const tokenizer = new Tokenizer(file, { ...config, chat_template: template }, null);
  const { ids } = tokenizer.encode(`${says}<|end|>`, { addSpecialTokens: false });
  const decoder = new BigramDecoder({ vocabulary: tokenizer.bytes.bytes.length, saying: ids });
  const generator = new Generator({ decoder, tokenizer, generationConfig: {}, modelConfig: {} });
  const ask = async (toolChoice: ToolChoice, more: Partial<GenerateInput> = {}, isParallel = true) => {
    const input: GenerateInput = { kind: "generate", prompt: { kind: "chat", messages: [{ role: "user", content: "Weather?" }], tools: [weather], toolChoice, isParallel }, sampling: {}, maxTokens: 300, stop: [], choices: 1, logprobs: null, format: { type: "text" }, hold: null, ...more };
    let text = "";
    let ending = "";
    const calls: ToolCall[] = [];
    await generator.run(input, async () => undefined, {
      notes: () => [],
      emit(event) {
        if (event.kind === "piece") text += event.text;
        if (event.kind === "tool-call") calls.push(event.call);
        if (event.kind === "ended") ending = event.reason;
      },
    });
    return { text, ending, ids: calls.map(({ id }) => id), calls: calls.map(({ function: { name, arguments: given } }) => [name, JSON.parse(given)]) };
  };
  return { tokenizer, ask };
}

const HERMES = ["<tool_call>", "</tool_call>"];
const MISTRAL = ["[TOOL_CALLS]"];
const LLAMA = ["<|python_tag|>"];
const oslo = ["weather", { city: "Oslo" }];
const rome = ["weather", { city: "Rome" }];

describe("tool calls whose markers are special tokens", () => {
  it.each<[string, string[], string, unknown]>([
    ["Hermes", HERMES, 'Well.<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>', { text: "Well.", calls: [oslo], ending: "tool_calls" }],
    ["Hermes, two", HERMES, '<tool_call>{"name": "weather", "arguments": {"city": "Oslo"}}</tool_call>\n<tool_call>{"name": "weather", "arguments": {"city": "Rome"}}</tool_call>', { text: "", calls: [oslo, rome], ending: "tool_calls" }],
    ["Mistral", MISTRAL, '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Oslo"}}, {"name": "weather", "arguments": {"city": "Rome"}}]', { text: "", calls: [oslo, rome], ending: "tool_calls" }],
    ["Llama", LLAMA, '<|python_tag|>{"name": "weather", "parameters": {"city": "Rome"}}', { text: "", calls: [rome], ending: "tool_calls" }],
    ["Llama, without its marker", LLAMA, '{"name": "weather", "parameters": {"city": "Rome"}}', { text: "", calls: [rome], ending: "tool_calls" }],
    ["Llama, with text", LLAMA, 'It is {"name": "weather"}', { text: 'It is {"name": "weather"}', calls: [], ending: "stop" }],
    ["Llama, with other JSON", LLAMA, '{"city": "Rome"}', { text: "", calls: [expect.any(Array)], ending: "tool_calls" }],
  ])("are read: %s", async (_, markers, says, expected) => {
    expect(await model(markers, says).ask("auto")).toMatchObject(expected as object);
  });

  it.each([["Hermes", HERMES], ["Mistral", MISTRAL], ["Llama", LLAMA]])("come for certain where they are required, in the model's own way: %s", async (_, markers) => {
    const { ask } = model(markers, "I would rather talk");
    for (const wish of ["required", { name: "weather" }] as const) {
      const { text, calls, ending } = await ask(wish);
      expect({ text, ending, names: calls.map(([name]) => name as string) }).toEqual({ text: "", ending: "tool_calls", names: ["weather"] });
      expect([oslo, rome]).toContainEqual(calls[0]);
    }
  });

  it("are told from text of the same letters", async () => {
    const { tokenizer } = model(HERMES, "");
    const letters = [..."<tool_call>"].flatMap((letter) => tokenizer.encode(letter, { addSpecialTokens: false }).ids);
    expect(letters).toHaveLength(11);
    const decoder = new BigramDecoder({ vocabulary: tokenizer.bytes.bytes.length, saying: [...letters, tokenizer.idOf("<|end|>") ?? -1] });
    let text = "";
    const prompt = { kind: "chat", messages: [{ role: "user", content: "?" }], tools: [weather], toolChoice: "auto", isParallel: true } as const;
    await new Generator({ decoder, tokenizer, generationConfig: {}, modelConfig: {} }).run(
      { kind: "generate", prompt, sampling: {}, maxTokens: 40, stop: [], choices: 1, logprobs: null, format: { type: "text" }, hold: null },
      async () => undefined,
      { notes: () => [], emit: (event) => void (event.kind === "piece" && (text += event.text)) },
    );
    expect(text).toBe("<tool_call>");
  });

  it("are one at most where several are not wanted", async () => {
    const two = '{"name": "weather", "arguments": {"city": "Oslo"}}';
    expect((await model(HERMES, `<tool_call>${two}</tool_call><tool_call>${two}</tool_call>`).ask("auto", {}, false)).calls).toEqual([oslo]);
    expect((await model(MISTRAL, `[TOOL_CALLS][${two},${two}]`).ask("auto", {}, false)).calls).toEqual([oslo]);
  });

  it("that were cut off are left out", async () => {
    for (const [markers, says] of [[HERMES, '<tool_call>{"name": "weather", "arguments"'], [MISTRAL, '[TOOL_CALLS][{"name": "weather"'], [LLAMA, '{"name": "weather", "parameters"']] as const) {
      expect(await model(markers, says).ask("auto", { maxTokens: 12 })).toMatchObject({ text: "", calls: [], ending: "length" });
    }
  });

  it("have ids that the model's template takes back", async () => {
    const { ids } = await model(MISTRAL, "").ask("required");
    expect(ids).toEqual([expect.stringMatching(/^[0-9a-z]{9}$/)]);
  });
});

describe("beside a format, an answer", () => {
  const person = { type: "object", properties: { name: { type: "string", maxLength: 12 }, age: { type: "integer", minimum: 0, maximum: 150 } }, required: ["name", "age"], additionalProperties: false };
  const format = { type: "json_schema", schema: person } as const;
  const anna = '{"name": "Anna", "age": 5}';
  const bare = '{"name": "weather", "parameters": {"city": "Oslo"}}';
  const called = '{"name": "weather", "arguments": {"city": "Oslo"}}';
  const families: [string, string[], string][] = [["Hermes", HERMES, `<tool_call>${called}</tool_call>`], ["Mistral", MISTRAL, `[TOOL_CALLS][${called}]`], ["Llama", LLAMA, `<|python_tag|>${bare}`], ["Llama, without its marker", LLAMA, bare]];

  it.each(families)("is a text of the format, or a call: %s", async (_, markers, says) => {
    expect(await model(markers, anna).ask("auto", { format })).toEqual({ text: anna, calls: [], ids: [], ending: "stop" });
    expect(await model(markers, says).ask("auto", { format })).toMatchObject({ text: "", calls: [oslo], ending: "tool_calls" });
    expect(await model(markers, says).ask("none", { format })).toMatchObject({ calls: [], ending: "stop" });
    expect(await model(markers, anna).ask({ name: "weather" }, { format })).toMatchObject({ text: "", calls: [["weather", expect.anything()]], ending: "tool_calls" });
  });

  it.each(families)("is nothing else, whatever the model would say: %s", async (_, markers, says) => {
    for (const text of ["I would rather talk", "[1, 2]", `So: ${says}`, `${says.slice(0, -1)}, ${anna}`, `{"name": "weather", "age": 200}`, `{"name": "nuke", "arguments": {"city": "Rome"}}`, `{"name": "nuke", "parameters": {}}`, `<tool_call>${anna}</tool_call>`]) {
      const { text: said, calls, ending } = await model(markers, text).ask("auto", { format }, false);
      if (ending === "tool_calls") expect({ said, calls: [[oslo], [rome]].some((some) => JSON.stringify(some) === JSON.stringify(calls.slice(0, 1))) }).toEqual({ said: "", calls: true });
      else expect({ ending, calls, person: JSON.parse(said) }).toEqual({ ending: "stop", calls: [], person: { name: expect.any(String), age: expect.any(Number) } });
    }
  });

  it("may be several calls, or one where no more are wanted", async () => {
    const two = `<tool_call>${called}</tool_call>\n<tool_call>${called}</tool_call>`;
    expect((await model(HERMES, two).ask("auto", { format })).calls).toEqual([oslo, oslo]);
    expect((await model(HERMES, two).ask("auto", { format }, false)).calls).toEqual([oslo]);
    expect((await model(MISTRAL, `[TOOL_CALLS][${called}, ${called}]`).ask("auto", { format })).calls).toEqual([oslo, oslo]);
  });

  it("that is both is a call; one that was cut before that could be told is text", async () => {
    const any = { type: "json_object" } as const;
    expect(await model(LLAMA, bare).ask("auto", { format: any })).toMatchObject({ text: "", calls: [oslo], ending: "tool_calls" });
    expect(await model(LLAMA, '{"name": "weather", "note": 1}').ask("auto", { format: any })).toMatchObject({ text: '{"name": "weather", "note": 1}', calls: [], ending: "stop" });
    expect(await model(LLAMA, bare).ask("auto", { format: any, maxTokens: 6 })).toMatchObject({ text: expect.stringMatching(/^\{"name/), calls: [], ending: "length" });
  });

  it("may have a marker's letters in its strings", async () => {
    const { file, config } = byteLevelTokenizer(['{"', '":', '"}', '"<tool_call>']);
    const template = `{% if tools %}{# <tool_call> #}{% endif %}${String(config["chat_template"])}`;
    const tokenizer = new Tokenizer(file, { ...config, chat_template: template }, null);
    const note: Tool = { type: "function", function: { name: "note", parameters: { type: "object", properties: { text: { type: "string" } }, required: ["text"], additionalProperties: false } } };
    const ask = async (says: string, format: GenerateInput["format"]) => {
      const saying = tokenizer.encode(`${says}<|end|>`, { addSpecialTokens: false }).ids;
      let text = "";
      const calls: string[] = [];
      const prompt = { kind: "chat", messages: [{ role: "user", content: "?" }], tools: [note], toolChoice: "auto", isParallel: true } as const;
      await new Generator({ decoder: new BigramDecoder({ vocabulary: tokenizer.bytes.bytes.length, saying }), tokenizer, generationConfig: {}, modelConfig: {} }).run(
        { kind: "generate", prompt, sampling: {}, maxTokens: 300, stop: [], choices: 1, logprobs: null, format, hold: null },
        async () => undefined,
        { notes: () => [], emit: (event) => void (event.kind === "piece" ? (text += event.text) : event.kind === "tool-call" && calls.push(event.call.function.arguments)) },
      );
      return { text, calls };
    };
    for (const says of ['"<tool_call>"', '"a <tool_call>{</tool_call> b"']) expect(await ask(says, { type: "json_schema", schema: { type: "string" } })).toEqual({ text: says, calls: [] });
    const call = '<tool_call>{"name": "note", "arguments": {"text":"</tool_call><tool_call>"}}</tool_call>';
    for (const own of [format, { type: "text" } as const]) expect(await ask(call, own)).toEqual({ text: "", calls: ['{"text":"</tool_call><tool_call>"}'] });
  });
});

it.each([["{{ '<tool_call>' }}", true], ["[TOOL_CALLS]", true], ["<|python_tag|>", true], ["[TOOL_CALLS]name[ARGS]{}", false], ["<tool_call><function=name>", false], ["plain", false]])("a template that writes %s teaches calls that can be read: %s", (template, isSo) => {
  expect(dialectOf(template) !== null).toBe(isSo);
});
