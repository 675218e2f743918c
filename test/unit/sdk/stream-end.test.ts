/** How a stream ends, as OpenAI's do: with what ended it, and a chunk without choices only where usage was asked for. */
import { expect, it } from "vitest";
import { chatChunks, chatClosing, completionChunks, completionClosing } from "../../../client/sdk/text/answers.ts";

const head = { id: "chatcmpl-1", created: 0, model: "chat" };
const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, prompt_tokens_details: { cached_tokens: 0 } };
const account = { request_id: "req_1", lease_ids: ["ls_1"], backend: "wasm", threads: 1, reason: "asked for", cache: "hit", ttft_ms: 1, tokens_per_second: null, stop_codes: ["end-token"] } as const;
const event = { kind: "ended", choice: 0, reason: "stop", why: "end-token" } as const;
const [, ended = null] = chatChunks(head, event, new Set());

it("ends with its last choice's reason, which says where it ran", () => {
  expect(chatClosing(head, { usage, account }, ended, false)).toEqual([{ ...head, object: "chat.completion.chunk", choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: "stop" }], leasehold: account }]);
  const [last] = completionChunks(head, event);
  expect(completionClosing(head, { usage, account }, last ?? null, false)).toMatchObject([{ choices: [{ text: "", finish_reason: "stop" }], leasehold: account }]);
});

it("tells usage in a chunk of its own, where that was asked for", () => {
  const withNull = { ...head, usage: null };
  const chunks = chatChunks(withNull, event, new Set());
  expect(chunks).toMatchObject([{ usage: null }, { usage: null }]);
  expect(chatClosing(withNull, { usage, account }, chunks[1] ?? null, true)).toEqual([chunks[1], { ...head, object: "chat.completion.chunk", choices: [], usage, leasehold: account }]);
  expect(completionChunks(withNull, event)).toMatchObject([{ usage: null }]);
});
