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

it("takes calls, tools and a choice as they are", () => {
  const { prompt } = chatInput({ model: "chat", messages: [{ role: "assistant", content: null, tool_calls: [call as never] }], tools: [{ type: "function", function: { name: "look" } }], tool_choice: { type: "function", function: { name: "look" } } });
  expect(prompt).toMatchObject({ messages: [{ content: "", tool_calls: [call] }], tools: [{ function: { name: "look" } }], toolChoice: { name: "look" } });
});
