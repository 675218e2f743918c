import { describe, expect, it } from "vitest";
import { isExpectedOrigin, isHello } from "../../../client/embed/greeting.ts";

const address = new URLSearchParams({ key: "lh_pk_acme_x", model: "ocr" });
const settings = { key: "lh_pk_acme_x", model: "ocr", user: "user-456", theme: "auto", backend: "auto", view: "picture" };
const hello = { kind: "leasehold:hello", settings };

describe("a hello", () => {
  it("is taken with the key and model of the address, with or without a user", () => {
    expect(isHello(hello, address)).toBe(true);
    expect(isHello({ ...hello, settings: { ...settings, user: undefined } }, address)).toBe(true);
    const { view: _, ...before } = settings; // of a loader that a page still has in its cache
    expect(isHello({ ...hello, settings: before }, address)).toBe(true);
  });

  it.each([
    ["another key, whose pages these are not", { ...hello, settings: { ...settings, key: "lh_pk_globex_x" } }],
    ["another model", { ...hello, settings: { ...settings, model: "chat" } }],
    ["no settings", { kind: "leasehold:hello" }],
    ["another kind", { ...hello, kind: "hello" }],
    ["a theme that isn't one", { ...hello, settings: { ...settings, theme: "pink" } }],
    ["a backend that isn't one", { ...hello, settings: { ...settings, backend: 1 } }],
    ["a view that isn't one", { ...hello, settings: { ...settings, view: "film" } }],
    ["a user that is no text", { ...hello, settings: { ...settings, user: {} } }],
    ["text", "leasehold:hello"],
    ["nothing", null],
  ])("is not heard with %s", (_, data) => {
    expect(isHello(data, address)).toBe(false);
  });

  it("is not heard where the address has no key", () => {
    expect(isHello({ ...hello, settings: { ...settings, key: null } }, new URLSearchParams({ model: "ocr" }))).toBe(false);
  });
});

it.each([
  ["https://shop.example", "https://shop.example", true],
  ["https://shop.example", null, true],
  ["https://evil.example", "https://shop.example", false],
  ["null", null, false],
  ["null", "null", false],
])("a hello from %s under a parent %s: %s", (origin, parent, isTaken) => {
  expect(isExpectedOrigin(origin, parent)).toBe(isTaken);
});
