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

it.each([["{{ '<tool_call>' }}", true], ["[TOOL_CALLS]", true], ["<|python_tag|>", true], ["[TOOL_CALLS]name[ARGS]{}", false], ["<tool_call><function=name>", false], ["plain", false]])("a template that writes %s teaches calls that can be read: %s", (template, isSo) => {
  expect(dialectOf(template) !== null).toBe(isSo);
});
