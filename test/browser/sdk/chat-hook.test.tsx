/** The chat hook in a page, on Preact's hooks and a model that says what it is told to. */
import { render } from "preact";
import * as hooks from "preact/hooks";
import { afterEach, expect, test } from "vitest";
import { LeaseholdError } from "../../../client/errors.ts";
import { type Chat, chatHook, type ChatSource, type ChatSettings } from "../../../client/react/chat-hook.ts";
import type { ChatChunk, ChatRequest } from "../../../client/sdk/text/openai.ts";

const useChat = chatHook(hooks);
const root = document.createElement("div");
document.body.append(root);
afterEach(() => render(null, root));

const chunk = (content: string): ChatChunk => ({ id: "c", object: "chat.completion.chunk", created: 0, model: "m", choices: [{ index: 0, delta: { content }, logprobs: null, finish_reason: null }] });
const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, prompt_tokens_details: { cached_tokens: 0 } };

/** Streams what `say` puts in; hears what it was asked. */
function source() {
  const asked: ChatRequest[] = [];
  const pieces: (string | LeaseholdError | null)[] = [];
  let wake = () => {};
  const say = (piece: string | LeaseholdError | null) => {
    pieces.push(piece);
    wake();
  };
  const model: ChatSource = {
    chat: {
      completions: {
        async create(request, { signal } = {}) {
          asked.push(request);
          signal?.addEventListener("abort", () => say(new LeaseholdError("aborted", "Stopped.")));
          return (async function* (): AsyncGenerator<ChatChunk, void> {
            for (;;) {
              while (pieces.length === 0) await new Promise<void>((resolve) => (wake = resolve));
              const piece = pieces.shift();
              if (piece instanceof LeaseholdError) throw piece;
              if (piece === null || piece === undefined) return void (yield { ...chunk(""), choices: [], usage });
              yield chunk(piece);
            }
          })();
        },
      },
    },
  };
  return { asked, say, model };
}

function mount(model: ChatSource, settings: ChatSettings = { model: "m", system: "Be brief.", max_tokens: 20 }): () => Chat {
  let now: Chat | undefined;
  const Page = () => {
    now = useChat(model, settings);
    return now.messages.map(({ role, content }) => `${role}: ${content}`).join("\n");
  };
  render(<Page />, root);
  return () => now as Chat;
}

const shown = () => root.textContent;

test("an answer streams in, is whole at the end, and goes with the next question", async () => {
  const { asked, say, model } = source();
  const chat = mount(model);
  void chat().send("Hello?");
  await expect.poll(shown).toBe("user: Hello?");
  say("Good ");
  await expect.poll(shown).toBe("user: Hello?\nassistant: Good ");
  await expect.poll(() => chat().isAnswering).toBe(true);
  say("day.");
  say(null);
  await expect.poll(() => chat().isAnswering).toBe(false);
  expect([shown(), chat().usage]).toEqual(["user: Hello?\nassistant: Good day.", usage]);
  say(null);
  await chat().send("And?");
  expect(asked[1]).toMatchObject({
    model: "m", max_tokens: 20, stream: true,
    messages: [{ role: "system", content: "Be brief." }, { role: "user", content: "Hello?" }, { role: "assistant", content: "Good day." }, { role: "user", content: "And?" }],
  });
});

test("what was written stays when it is stopped, and is no error; nor is there a second answer at once", async () => {
  const { asked, say, model } = source();
  const chat = mount(model);
  void chat().send("Tell me all");
  say("Well");
  await expect.poll(shown).toBe("user: Tell me all\nassistant: Well");
  await chat().send("not taken");
  chat().stop();
  await expect.poll(() => chat().isAnswering).toBe(false);
  expect([asked.length, shown(), chat().error]).toEqual([1, "user: Tell me all\nassistant: Well", null]);
});

test("asked again, the last question has a new answer in place of what came of it", async () => {
  const { asked, say, model } = source();
  const chat = mount(model);
  say("Hal");
  say(new LeaseholdError("runtime-crashed", "Gone."));
  await chat().send("Hello?");
  await expect.poll(() => [shown(), chat().error?.code]).toEqual(["user: Hello?\nassistant: Hal", "runtime-crashed"]);
  say("Hello.");
  say(null);
  await chat().retry();
  await expect.poll(() => [shown(), chat().error]).toEqual(["user: Hello?\nassistant: Hello.", null]);
  expect(asked[1]?.messages.slice(1)).toEqual([{ role: "user", content: "Hello?" }]);
});

test("a failure is shown with its code until the next question; an end of the page stops the answer", async () => {
  const { asked, say, model } = source();
  const chat = mount(model);
  say(new LeaseholdError("daily-quota-exceeded", "Used up."));
  await chat().send("Hello?");
  await expect.poll(() => chat().error?.code).toBe("daily-quota-exceeded");
  const ended = chat().send("Again?");
  await expect.poll(() => chat().error).toBeNull();
  await expect.poll(() => asked[1]?.messages).toEqual([{ role: "system", content: "Be brief." }, { role: "user", content: "Hello?\n\nAgain?" }]);
  render(null, root);
  await ended;
});
