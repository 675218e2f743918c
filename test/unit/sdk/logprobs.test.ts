/** Tokens' chances in OpenAI's two shapes. */
import { expect, it } from "vitest";
import { chatCompletion, completion, Gathered } from "../../../client/sdk/text/answers.ts";

const head = { id: "cmpl-1", created: 0, model: "stories" };
const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, prompt_tokens_details: { cached_tokens: 0 } };
const account = { request_id: "req_1", lease_ids: ["ls_1"], backend: "wasm", threads: 1, reason: "asked for", cache: "hit", ttft_ms: 1, tokens_per_second: null, stop_codes: ["end-token"] } as const;
const token = (text: string, at: number) => ({ text, at, bytes: [...new TextEncoder().encode(text)], logprob: -1, top: [{ text, bytes: [], logprob: -1 }, { text: "x", bytes: [], logprob: -2 }] });

const gathered = new Gathered();
gathered.add({ kind: "piece", choice: 0, text: "a b", tokens: [token("a", 9), token(" b", 10)], outputTokens: 2 });
gathered.add({ kind: "ended", choice: 0, reason: "stop", why: "end-token" });

it("lists them in columns for a completion, with where each begins", () => {
  expect(completion(head, gathered, true, { usage, account }).choices[0]?.logprobs).toEqual({ tokens: ["a", " b"], token_logprobs: [-1, -1], top_logprobs: [{ a: -1, x: -2 }, { " b": -1, x: -2 }], text_offset: [9, 10] });
});

it("lists them in rows for a chat", () => {
  const [choice] = chatCompletion(head, gathered, true, { usage, account }).choices;
  expect(choice).toMatchObject({ message: { content: "a b", refusal: null }, logprobs: { refusal: null, content: [{ token: "a", bytes: [97], logprob: -1, top_logprobs: [{ token: "a" }, { token: "x", logprob: -2 }] }, { token: " b" }] } });
});

it("tells parts of characters apart by their bytes in a completion", () => {
  const part = (...bytes: number[]) => ({ text: new TextDecoder().decode(Uint8Array.from(bytes)), bytes, logprob: -bytes.length });
  const [four, three, real] = [part(0xf0, 0x9f, 0x98), part(0xe4, 0xb8), part(0xef, 0xbf, 0xbd)] as const;
  const cut = new Gathered();
  cut.add({ kind: "piece", choice: 0, text: "", tokens: [{ ...four, at: 0, top: [four, three, real] }], outputTokens: 1 });
  expect(completion(head, cut, true, { usage, account }).choices[0]?.logprobs).toMatchObject({ tokens: ["bytes:\\xf0\\x9f\\x98"], top_logprobs: [{ "bytes:\\xf0\\x9f\\x98": -3, "bytes:\\xe4\\xb8": -2, "\ufffd": -3 }] });
});
