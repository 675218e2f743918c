/** The widget as a chat: what a person writes, sees and stops, and what the holding page is told. */
import { render } from "preact";
import { afterEach, beforeEach, expect, it } from "vitest";
import { page, userEvent } from "vitest/browser";
import "../../../client/embed/embed.css";
import "../../../client/embed/chat/chat.css";
import { ChatApp } from "../../../client/embed/chat/chat-app.tsx";
import type { Talk } from "../../../client/embed/chat/use-talk.ts";
import { LeaseholdError } from "../../../client/errors.ts";
import type { Progress } from "../../../client/sdk/progress.ts";
import type { ChatChunk, ChatRequest } from "../../../client/sdk/text/openai.ts";
import { type TestLine, testLine } from "./drawn.tsx";

const account = { backend: "wasm", threads: 2, reason: "as asked for", request_id: "req_1", lease_ids: ["ls_1"], cache: "hit", ttft_ms: 5, tokens_per_second: 30, stop_codes: ["end-token"] } as const;
const chunk = (content: string): ChatChunk => ({ id: "c", object: "chat.completion.chunk", created: 0, model: "chat", choices: [{ index: 0, delta: { content }, logprobs: null, finish_reason: null }] });

let root: HTMLElement;
let line: TestLine;
let asked: ChatRequest[];
let release: () => void;
let tell: (progress: Progress) => void;
/** What the model does once it is let: its words, or its failure. */
let script: (readonly string[] | LeaseholdError)[];

const talk: Talk = async (request, { signal, onProgress }) => {
  asked.push(request);
  tell = (progress) => onProgress?.(progress);
  await new Promise<void>((resolve, reject) => {
    release = resolve;
    signal?.addEventListener("abort", () => reject(new LeaseholdError("aborted", "Stopped.")));
  });
  const next = script.shift() ?? [];
  if (next instanceof LeaseholdError) throw next;
  return (async function* () {
    for (const word of next) yield chunk(word);
    yield { ...chunk(""), choices: [], leasehold: account };
  })();
};

beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
  line = testLine();
  asked = [];
  script = [];
  release = () => undefined;
  render(<ChatApp line={line} talk={talk} onQuota={() => () => undefined} />, root);
});
afterEach(() => {
  render(null, root);
  root.remove();
});

const at = (id: string) => page.getByTestId(id);
const said = () => [...root.querySelectorAll("p.said")].map((element) => element.textContent);
const say = async (text: string) => {
  const before = asked.length;
  await userEvent.fill(at("message"), text);
  await userEvent.keyboard("{Enter}");
  await expect.poll(() => asked.length).toBe(before + 1);
};

it("sends by Enter, shows how far the model is, then the answer and what it ran on", async () => {
  script = [["Good ", "day."]];
  await expect.element(at("send")).toBeDisabled();
  await say("Hello?");
  await expect.poll(said).toEqual(["You: Hello?"]);
  await expect.element(at("waiting")).toBeVisible();
  tell({ stage: "downloading", isKept: true, loadedBytes: 5e6, totalBytes: 20e6, cachedBytes: 0, bytesPerSecond: null });
  await expect.poll(() => root.querySelector('[role="progressbar"]')?.getAttribute("aria-valuenow")).toBe("25");
  await expect.element(at("status")).toHaveTextContent("Downloading the model");
  release();
  await expect.poll(said).toEqual(["You: Hello?", "Answer: Good day."]);
  await expect.element(at("status")).toHaveTextContent("Your turn");
  await expect.element(at("engine")).toHaveTextContent("WASM, 2 threads");
  expect(root.querySelector('[role="progressbar"]')).toBeNull();
});

it("takes a new line by Shift and Enter, and stops by Escape: what was asked stays, and is no failure", async () => {
  await userEvent.fill(at("message"), "one");
  for (const ofInputMethod of [{ isComposing: true }, { keyCode: 229 }]) root.querySelector("textarea")?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, ...ofInputMethod }));
  await userEvent.keyboard("{Shift>}{Enter}{/Shift}two{Enter}");
  await expect.poll(said).toEqual(["You: one\ntwo"]);
  await userEvent.keyboard("{Escape}");
  await expect.element(at("status")).toHaveTextContent("Your turn");
  expect(at("error").query()).toBeNull();
  await userEvent.click(at("new"));
  await expect.poll(said).toEqual([]);
  await expect.element(at("message")).toHaveFocus();
});

it("says what failed in words, to the page by its code, and asks again", async () => {
  script = [new LeaseholdError("daily-quota-exceeded", "Used up."), new LeaseholdError("network-failed", "Gone."), ["Here."]];
  await say("Hello?");
  release();
  await expect.element(at("error")).toHaveAttribute("data-code", "daily-quota-exceeded");
  expect(at("retry").query()).toBeNull();
  await expect.element(at("status")).toHaveTextContent("No answer");
  await expect(line.heard("error")).resolves.toMatchObject({ id: null, error: { code: "daily-quota-exceeded" } });
  await say("And now?");
  release();
  await expect.element(at("error")).toHaveAttribute("data-code", "network-failed");
  await userEvent.click(at("retry"));
  await expect.poll(() => asked.length).toBe(3);
  release();
  await expect.poll(() => said().at(-1)).toBe("Answer: Here.");
  expect(asked[2]?.messages).toEqual(asked[1]?.messages);
});

it("reads no pictures, and says so", async () => {
  await line.heard("ready");
  line.say({ kind: "read", id: 4, image: new Blob() });
  await expect(line.heard("error")).resolves.toMatchObject({ id: 4, error: { code: "invalid-request" } });
});
