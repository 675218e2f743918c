import { expect, it } from "vitest";
import { chatInput, completionInput } from "../../../client/sdk/text/requests.ts";

const messages = [{ role: "user", content: "hi" }];
const chat = (more: object) => () => chatInput({ model: "chat", messages, ...more });
const call = { id: "c", type: "function", function: { name: "look", arguments: "{}" } };

it.each<[string, () => unknown]>([
  ["a message that is none", chat({ messages: [null] })],
  ["a message without a role", chat({ messages: [{ content: "hi" }] })],
  ["content that is a number", chat({ messages: [{ role: "user", content: 5 }] })],
  ["a part that is none", chat({ messages: [{ role: "user", content: [null] }] })],
  ["a picture", chat({ messages: [{ role: "user", content: [{ type: "image_url", image_url: "x" }] }] })],
  ["a part without its text", chat({ messages: [{ role: "user", content: [{ type: "text" }] }] })],
  ["a tool call without a function", chat({ messages: [{ role: "assistant", tool_calls: [{}] }] })],
  ["tools that are no list", chat({ tools: {} })],
  ["a tool without a name", chat({ tools: [{ type: "function", function: {} }] })],
  ["a choice of tools that is unknown", chat({ tool_choice: "any" })],
  ["a choice of tools without a name", chat({ tool_choice: { type: "function" } })],
  ["a call that is required of no tools", chat({ tool_choice: "required" })],
  ["a call of a tool where there are none", chat({ tools: [], tool_choice: { type: "function", function: { name: "look" } } })],
  ["top_logprobs without logprobs", chat({ top_logprobs: 2 })],
  ["functions of the old form", chat({ functions: [{ name: "look" }] })],
  ["an answer to listen to", chat({ modalities: ["text", "audio"] })],
  ["an echo of the prompt", () => completionInput({ model: "stories", prompt: "", echo: true } as never)],
  ["the best of several", () => completionInput({ model: "stories", prompt: "", best_of: 3 } as never)],
  ["a format that is unknown", chat({ response_format: { type: "xml" } })],
  ["a format without its schema", chat({ response_format: { type: "json_schema" } })],
  ["a field that nobody knows, as OpenAI does", chat({ temprature: 1 })],
  ["a field of completions in a chat", chat({ echo: false })],
  ["an effort that no model here makes", chat({ reasoning_effort: "high" })],
  ["a length of words", chat({ verbosity: "low" })],
  ["a name that is none", chat({ messages: [{ role: "user", content: "hi", name: 5 }] })],
  ["an id that is none", chat({ messages: [{ role: "tool", content: "hi", tool_call_id: {} }] })],
  ["chances by their number in a chat", chat({ logprobs: 5 })],
  ["half a chance", chat({ logprobs: true, top_logprobs: 2.5 })],
  ["chances by yes or no in a completion", () => completionInput({ model: "stories", prompt: "", logprobs: true } as never)],
  ["biases that are none", chat({ logit_bias: 5 })],
  ["biases in a list", chat({ logit_bias: [1] })],
  ["half a character to stop at", chat({ stop: ["a", "\ude00"] })],
  ["several prompts", () => completionInput({ model: "stories", prompt: ["a", "b"] as never })],
  ["a stop that is a number", chat({ stop: 5 })],
  ["a stop that is a list of numbers", () => completionInput({ model: "stories", prompt: "", stop: [5] as never })],
  ["a prompt of halves", () => completionInput({ model: "stories", prompt: [0.5] })],
])("refuses %s", (_, read) => {
  expect(read).toThrow(expect.objectContaining({ code: "invalid-request" }));
});

it("takes null for what is left out, and parts of text for text", () => {
  const given = { modalities: ["text"], functions: null, parallel_tool_calls: null, top_logprobs: null, messages: [{ role: "user", content: [{ type: "text", text: "h" }, { type: "text", text: "i" }] }], stop: null, n: null, tools: null, tool_choice: null, response_format: null, logprobs: null, max_tokens: null };
  expect(chat(given)()).toEqual(chat({})());
});

it("takes what only says how OpenAI keeps, pays or serves", () => {
  const given = { user: "u", store: true, metadata: { a: "b" }, service_tier: "auto", safety_identifier: "s", prompt_cache_key: "k", prediction: { type: "content", content: "x" }, reasoning_effort: "none", verbosity: "medium" };
  expect(chat(given)()).toEqual(chat({})());
  expect(completionInput({ model: "stories", prompt: "a", user: "u", best_of: 1, echo: false, suffix: null } as never)).toEqual(completionInput({ model: "stories", prompt: "a" }));
});

it("takes messages as OpenAI's library has them: refusals, developers, what is null", () => {
  const { prompt } = chatInput({
    model: "chat",
    messages: [
      { role: "developer", content: "Be brief." },
      { role: "user", content: "hi", name: null },
      { role: "assistant", content: [{ type: "text", text: "I " }, { type: "refusal", refusal: "won't." }], refusal: null, tool_calls: null, tool_call_id: null },
    ] as never,
  });
  expect(prompt).toMatchObject({ messages: [{ role: "system", content: "Be brief." }, { role: "user", content: "hi" }, { role: "assistant", content: "I won't." }] });
  expect(JSON.stringify(prompt)).not.toContain("null");
});

it("takes a list of one prompt for that prompt, as text or as tokens", () => {
  for (const prompt of ["a", [1, 2]]) expect(completionInput({ model: "stories", prompt: [prompt] as never })).toEqual(completionInput({ model: "stories", prompt: prompt as never }));
});

it("takes calls, tools and a choice as they are", () => {
  const { prompt } = chatInput({ model: "chat", messages: [{ role: "assistant", content: null, tool_calls: [call as never] }], tools: [{ type: "function", function: { name: "look" } }], tool_choice: { type: "function", function: { name: "look" } } });
  expect(prompt).toMatchObject({ messages: [{ content: "", tool_calls: [call] }], tools: [{ function: { name: "look" } }], toolChoice: { name: "look" } });
});
