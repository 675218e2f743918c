/**
 * A page that someone builds on the package: React's chat, and the AI SDK's calls, in TypeScript.
 *
 * - A text and not a module: it is compiled in a project of its own, against the types that the package brings.
 */
export const SHOP_HTML = '<!doctype html><title>A shop</title><link rel="icon" href="data:,"><main id="chat"></main><script type="module" src="/page.ts"></script>';

export const SHOP_PAGE = `
import { type EmbeddingModel, embed, embedMany, generateObject, generateText, isStepCount, jsonSchema, type LanguageModel, Output, streamText, tool } from "ai";
import { createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { type ChatCompletion, Leasehold, LeaseholdError, type LeaseholdOptions } from "leasehold";
import { leaseholdModels } from "leasehold/ai-sdk";
import { z } from "zod";
import { type Chat, useChat } from "leasehold/react";

// The types are the package's own, not any.
// @ts-expect-error a key is needed
const without = (): LeaseholdOptions => ({ user: "a" });
// @ts-expect-error no such backend
const another = (): LeaseholdOptions["backend"] => "cuda";
// @ts-expect-error a number
const tokens = (answer: ChatCompletion): string => answer.usage.prompt_tokens;
// @ts-expect-error a closed union
const code = (error: LeaseholdError): "no-such-code" => error.code;

function start(options: LeaseholdOptions) {
  const lh = new Leasehold(options);
  const models = leaseholdModels(lh);
  const language: LanguageModel = models("stories");
  const embedding: EmbeddingModel = models.embeddingModel("words");
  const schema = jsonSchema<{ name: string; isOpen: boolean }>({ type: "object", properties: { name: { type: "string", maxLength: 5 }, isOpen: { type: "boolean" } }, required: ["name", "isOpen"], additionalProperties: false });

  function Talk() {
    const chat: Chat = useChat(lh, { model: "stories", max_tokens: 12 });
    return createElement("div", null,
      createElement("button", { onClick: () => void chat.send("Once upon a time") }, "Ask"),
      createElement("output", { "data-answering": chat.isAnswering, "data-error": chat.error?.code }, chat.messages.map(({ role, content }) => role + ":" + content).join("|")));
  }
  createRoot(document.querySelector("#chat")!).render(createElement(StrictMode, null, createElement(Talk)));

  const failed = (error: unknown) => {
    const { name, code } = error as { name: string; code?: string };
    return { name, code: typeof code === "string" ? code : null, isOurs: error instanceof LeaseholdError };
  };

  return {
    async text(prompt: string) {
      const { text, finishReason, usage, providerMetadata } = await generateText({ model: language, prompt, maxOutputTokens: 16 });
      return { text, finishReason, input: usage.inputTokens, output: usage.outputTokens, leases: providerMetadata?.leasehold?.lease_ids };
    },
    async stream(prompt: string) {
      const { textStream, usage, finishReason } = streamText({ model: language, prompt, maxOutputTokens: 16 });
      const pieces: string[] = [];
      for await (const piece of textStream) pieces.push(piece);
      return { pieces, output: (await usage).outputTokens, finishReason: await finishReason };
    },
    async object() {
      const { output, finishReason } = await generateText({ model: language, prompt: "A shop: ", output: Output.object({ schema }), temperature: 0.4, seed: 3 });
      return { output, finishReason };
    },
    async tool() {
      const asked: { name: string; isOpen: boolean }[] = [];
      const find = tool({ description: "Finds a shop", inputSchema: schema, execute: async (input) => { asked.push(input); return "It is around the corner."; } });
      const { steps } = await generateText({ model: language, prompt: "Find: ", tools: { find }, prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? "required" : "none" }), stopWhen: isStepCount(2), maxOutputTokens: 120, temperature: 0.4, seed: 3 });
      return { asked, steps: steps.map(({ finishReason, toolResults, text }) => ({ finishReason, results: toolResults.map(({ output }) => output), hasText: text.length > 0 })) };
    },
    /** zod's checks of strings are patterns for the model. */
    async contact() {
      const mail = z.object({ mail: z.email().max(16), since: z.iso.date(), kind: z.enum(["shop", "person"]) });
      const { object, finishReason } = await generateObject({ model: language, schema: mail, prompt: "A shop: ", temperature: 0.4, seed: 3 });
      return { object, finishReason };
    },
    async embedOne(value: string) {
      const { embedding: numbers, usage } = await embed({ model: embedding, value });
      return { numbers, tokens: usage.tokens };
    },
    async embed(values: string[]) {
      const { embeddings, usage } = await embedMany({ model: embedding, values });
      return { embeddings, tokens: usage.tokens };
    },
    async abort() {
      const stop = new AbortController();
      const { stream, text } = streamText({ model: language, prompt: "Once", maxOutputTokens: 400, abortSignal: stop.signal });
      text.then(undefined, () => undefined);
      const kinds: string[] = [];
      for await (const { type } of stream) {
        kinds.push(type);
        if (type === "text-delta") stop.abort();
      }
      const whole = generateText({ model: language, prompt: "Once", maxOutputTokens: 400, abortSignal: AbortSignal.timeout(1) });
      return { last: kinds.at(-1), deltas: kinds.filter((kind) => kind === "text-delta").length, whole: await whole.then(() => null, failed) };
    },
    async refusals() {
      const none = await generateText({ model: models("none"), prompt: "a" }).then(() => null, failed);
      const long = await generateText({ model: language, prompt: "a".repeat(5000) }).then(() => null, failed);
      let streamed: unknown = null;
      await streamText({ model: language, prompt: "a".repeat(5000), onError: ({ error }) => { streamed = failed(error); } }).consumeStream();
      return { none, long, streamed };
    },
  };
}

export type Shop = ReturnType<typeof start>;
Object.assign(globalThis, { start });
void [without, another, tokens, code];
`;
