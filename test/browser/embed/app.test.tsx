/** The embed in a Chromium: what a person does and sees, and what the holding page is told. */
import { render } from "preact";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { page, userEvent } from "vitest/browser";
import "../../../client/embed/embed.css";
import { App } from "../../../client/embed/app.tsx";
import type { ReadPicture } from "../../../client/embed/use-reader.ts";
import { LeaseholdError } from "../../../client/errors.ts";
import type { WidgetQuota } from "../../../client/widget/protocol.ts";
import { drawnPicture, resultOf, TEXTS, type TestLine, testLine } from "./drawn.tsx";

let root: HTMLElement;
let line: TestLine;
let setQuota: (quota: WidgetQuota) => void;

beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
  line = testLine();
});
afterEach(() => {
  render(null, root);
  root.remove();
});

function show(read: ReadPicture): void {
  const onQuota = (listener: (quota: WidgetQuota) => void) => {
    setQuota = listener;
    return () => undefined;
  };
  render(<App line={line} read={read} onQuota={onQuota} />, root);
}

const at = (id: string) => page.getByTestId(id);
const wordsAt = (id: string) => at(id).query()?.textContent ?? "";
const choose = async (file?: File) => userEvent.upload(at("file-input"), file ?? (await drawnPicture()));
const isActive = (index: number) => root.querySelectorAll<SVGElement>("g")[index]?.dataset.active === "true";
const optionAt = (index: number) => page.getByRole("option").nth(index);

/** Runs until it is told to end, or stopped. */
function hanging(): { read: ReadPicture; stopped: () => number } {
  let stopped = 0;
  return {
    stopped: () => stopped,
    read: ({ signal }) =>
      new Promise((_, reject) => {
        signal?.addEventListener("abort", () => {
          stopped++;
          reject(new LeaseholdError("aborted", "Stopped."));
        });
      }),
  };
}

describe("reading a picture", () => {
  it("says that it is ready, and takes a picture by file, drop and paste", async () => {
    const given: string[] = [];
    show(async ({ image }) => {
      given.push((image as File).name);
      return resultOf();
    });
    await line.heard("ready");
    await choose();
    await expect.element(at("status")).toHaveTextContent("3 lines read");

    for (const [name, make] of [
      ["dropped.png", (dataTransfer: DataTransfer) => new DragEvent("drop", { dataTransfer, cancelable: true })],
      ["pasted.png", (clipboardData: DataTransfer) => new ClipboardEvent("paste", { clipboardData })],
    ] as const) {
      const data = new DataTransfer();
      data.items.add(new File([await drawnPicture()], name, { type: "image/png" }));
      window.dispatchEvent(make(data));
      await expect.poll(() => given).toContain(name);
    }
    expect(given).toEqual(["receipt.png", "dropped.png", "pasted.png"]);
  });

  it("shows the lines as text, the engine with its reason, and tells the page the result", async () => {
    show(async () => resultOf());
    await choose();
    await expect.element(at("result-text")).toBeVisible();
    await expect.poll(() => wordsAt("result-text")).toBe(TEXTS.join("\n"));
    await expect.element(at("engine")).toHaveTextContent("WASM, 2 threads");
    await expect.element(at("engine")).toHaveAttribute("data-backend", "wasm");
    await expect.element(at("engine")).toHaveAccessibleDescription("This browser has no WebGPU adapter.");
    expect((await line.heard("result")).result).toMatchObject({ text: TEXTS.join("\n"), usage: { input_tokens: 80 }, backend: "wasm" });
  });

  it("shows each stage, with bytes and percent of the download", async () => {
    let say: Parameters<ReadPicture>[0]["onProgress"];
    show(({ onProgress }) => {
      say = onProgress;
      return new Promise(() => undefined);
    });
    await choose();
    await expect.poll(() => say).toBeTypeOf("function");
    say?.({ stage: "downloading", isKept: true, loadedBytes: 6_240_000, totalBytes: 15_600_000, cachedBytes: 0, bytesPerSecond: null });
    await expect.element(at("status")).toHaveTextContent("Downloading the model");
    await expect.poll(() => wordsAt("progress")).toContain("6.2 of 15.6 MB");
    await expect.poll(() => wordsAt("progress")).toContain("40 %");
    await expect.element(page.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "40");
    expect(wordsAt("progress")).toContain("It is kept in this browser");
    say?.({ stage: "downloading", isKept: false, loadedBytes: 7_800_000, totalBytes: 15_600_000, cachedBytes: 0, bytesPerSecond: null });
    await expect.poll(() => wordsAt("progress")).toContain("It is not kept in this browser"); // a private window
    say?.({ stage: "preparing", step: "session" });
    await expect.element(at("status")).toHaveTextContent("Preparing the model");
    say?.({ stage: "reading", engine: resultOf() });
    await expect.element(at("status")).toHaveTextContent("Reading the picture");
    await expect.element(at("engine")).toBeVisible();
  });

  it("can be cancelled, and then takes the next picture", async () => {
    const { read, stopped } = hanging();
    show(read);
    await choose();
    await userEvent.click(page.getByRole("button", { name: "Cancel" }));
    await expect.element(page.getByRole("button", { name: "Choose a picture" })).toBeVisible();
    await expect.poll(stopped).toBe(1);
    expect(line.told.some(({ kind }) => kind === "error")).toBe(false);
  });

  it("stops the picture that a new one replaces, and shows the new one's text", async () => {
    const { read, stopped } = hanging();
    let calls = 0;
    show((request) => (++calls === 1 ? read(request) : Promise.resolve(resultOf(["second"]))));
    await choose();
    await expect.element(at("status")).toHaveTextContent("Looking at the picture");
    await choose();
    await expect.element(at("result-text")).toHaveTextContent("second");
    await expect.poll(stopped).toBe(1);
  });
});

describe("lines and boxes", () => {
  beforeEach(async () => {
    show(async () => resultOf());
    await choose();
    await expect.element(at("result-text")).toBeVisible();
  });

  it("point at each other under the pointer", async () => {
    await userEvent.hover(optionAt(1));
    await expect.poll(() => isActive(1)).toBe(true);
    await userEvent.hover(page.getByRole("img", { name: "Total 12.70" }));
    await expect.element(optionAt(2)).toHaveAttribute("aria-selected", "true");
    await expect.poll(() => isActive(1)).toBe(false);
  });

  it("are walked with the arrow keys, each side one tab stop", async () => {
    await userEvent.unhover(optionAt(0)); // a pointer that an earlier test left over a box would choose lines of its own
    (optionAt(0).element() as HTMLElement).focus();
    await userEvent.keyboard("{ArrowDown}");
    await expect.poll(() => document.activeElement?.textContent).toBe("Sourdough loaf 4.50");
    await expect.poll(() => isActive(1)).toBe(true);
    await userEvent.keyboard("{End}");
    await expect.poll(() => isActive(2)).toBe(true);
    await userEvent.keyboard("{ArrowDown}");
    await expect.poll(() => isActive(2)).toBe(true);
    await expect.poll(() => root.querySelectorAll("[role=option][tabindex='0']").length).toBe(1);
    await expect.poll(() => root.querySelectorAll("g[tabindex='0']").length).toBe(1);
  });

  it("are one where a line has several boxes", async () => {
    const [first, second, third] = resultOf().blocks;
    if (!first || !second || !third) throw new Error("three blocks are drawn");
    const result = { ...resultOf(), blocks: [first, { ...second, text: "Sourdough loaf" }, { ...third, text: "4.50", line: second.line }] };
    render(null, root);
    show(async () => result);
    await choose();
    await expect.poll(() => wordsAt("result-text")).toBe("CORNER BAKERY\nSourdough loaf 4.50");
    await expect.element(at("status")).toHaveTextContent("2 lines read");
    await userEvent.hover(optionAt(1));
    await expect.poll(() => root.querySelectorAll("g[data-active=true] polygon").length).toBe(2);
  });

  it("mark a line that is a guess", async () => {
    await expect.element(optionAt(1)).toHaveAttribute("title", "Not sure about this line");
    await expect.element(optionAt(0)).not.toHaveAttribute("title");
  });

  it("are copied together or alone", async () => {
    const copied: string[] = [];
    const write = navigator.clipboard.writeText.bind(navigator.clipboard);
    navigator.clipboard.writeText = (text) => {
      copied.push(text);
      return Promise.resolve();
    };
    try {
      await userEvent.click(page.getByRole("button", { name: "Copy all" }));
      await expect.element(page.getByRole("button", { name: "Copied" })).toBeVisible();
      await userEvent.hover(optionAt(2));
      await userEvent.click(page.getByRole("button", { name: "Copy this line" }));
      await expect.poll(() => copied).toEqual([TEXTS.join("\n"), "Total 12.70"]);
    } finally {
      navigator.clipboard.writeText = write;
    }
  });
});

describe("what goes wrong", () => {
  it("names the limit, when it resets, and tells the page", async () => {
    const resetsAt = "2026-11-23T00:00:00Z";
    show(() => Promise.reject(new LeaseholdError("daily-quota-exceeded", "…", { limit: 1000, remaining: 0, resetsAt, requestId: "req_9" })));
    await choose();
    await expect.element(at("error")).toHaveAttribute("data-code", "daily-quota-exceeded");
    await expect.poll(() => wordsAt("error")).toMatch(/Daily quota exceeded[^]*Resets/);
    await expect.element(at("error").getByRole("time")).toHaveAttribute("datetime", resetsAt);
    await expect.poll(() => wordsAt("error")).toContain("req_9");
    expect((await line.heard("error")).error).toMatchObject({ code: "daily-quota-exceeded", limit: 1000, remaining: 0, resetsAt });
  });

  it("is tried again with the same picture", async () => {
    let calls = 0;
    show(() => (++calls === 1 ? Promise.reject(new LeaseholdError("network-failed", "…")) : Promise.resolve(resultOf())));
    await choose();
    await userEvent.click(page.getByRole("button", { name: "Try again" }));
    await expect.poll(() => wordsAt("result-text")).toContain("CORNER BAKERY");
  });

  it("is no-text-found for a picture without text", async () => {
    show(async () => resultOf([]));
    await choose();
    await expect.element(at("error")).toHaveAttribute("data-code", "no-text-found");
    expect((await line.heard("error")).error.code).toBe("no-text-found");
  });

  it("shows a file that is no picture without a broken picture, and then takes the next", async () => {
    let calls = 0;
    show(() => (++calls === 1 ? Promise.reject(new LeaseholdError("image-unreadable", "…")) : Promise.resolve(resultOf())));
    await choose(new File(["hello"], "a.txt", { type: "text/plain" }));
    await expect.element(at("error")).toHaveAttribute("data-code", "image-unreadable");
    await expect.poll(() => root.querySelector(".failure img")).toBeNull();
    await choose();
    await expect.element(at("result-text")).toBeVisible();
  });
});

describe("the line to the page", () => {
  it("answers a read under its id", async () => {
    show(async () => resultOf());
    await line.heard("ready");
    line.say({ kind: "read", id: 7, image: await drawnPicture() });
    expect(await line.heard("result")).toMatchObject({ id: 7, result: { text: TEXTS.join("\n") } });
  });

  it("stops a read on abort, and answers it with aborted", async () => {
    const { read, stopped } = hanging();
    show(read);
    await line.heard("ready");
    line.say({ kind: "read", id: 8, image: await drawnPicture() });
    await expect.element(at("status")).toHaveTextContent("Looking at the picture");
    line.say({ kind: "abort", id: 8 });
    expect(await line.heard("error")).toMatchObject({ id: 8, error: { code: "aborted" } });
    await expect.poll(stopped).toBe(1);
  });

  it("passes the quota on and shows what is left", async () => {
    show(async () => resultOf());
    await line.heard("ready");
    setQuota({ remaining: 40, limit: 100, resetsAt: null, window: "daily_token_limit" });
    await expect.element(at("quota")).toHaveTextContent("Left today: 40 of 100 tokens");
    expect((await line.heard("quota")).quota).toEqual({ remaining: 40, limit: 100, resetsAt: null, window: "daily_token_limit" });
  });

  it("changes the theme", async () => {
    show(async () => resultOf());
    await line.heard("ready");
    line.say({ kind: "theme", theme: "dark" });
    await expect.poll(() => getComputedStyle(document.documentElement).colorScheme).toBe("dark");
    line.say({ kind: "theme", theme: "auto" });
    await expect.poll(() => getComputedStyle(document.documentElement).colorScheme).toBe("light dark");
  });
});
