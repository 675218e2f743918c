import { describe, expect, it } from "vitest";
import { embedUrl, readSettings } from "../../../client/widget/settings.ts";

const read = (attributes: Record<string, string>) => readSettings((name) => attributes[name] ?? null);

describe("the widget's settings", () => {
  it("are its attributes", () => {
    expect(read({ key: "lh_pk_acme_x", model: "ocr", user: "user-456", theme: "dark", backend: "wasm" })).toEqual({
      ok: true,
      settings: { key: "lh_pk_acme_x", model: "ocr", user: "user-456", theme: "dark", backend: "wasm", view: "picture" },
    });
  });

  it("take 'auto' for a theme or backend that isn't one, and no user for an empty one", () => {
    expect(read({ key: "lh_pk_acme_x", model: "ocr", user: " ", theme: "pink", backend: "cuda" })).toMatchObject({
      settings: { user: undefined, theme: "auto", backend: "auto", view: "picture" },
    });
  });

  it.each([
    [{ model: "ocr" }, "no key"],
    [{ key: "  ", model: "ocr" }, "no key"],
    [{ key: "lh_sk_acme_x", model: "ocr" }, "secret key"],
    [{ key: "lh_pk_acme_x" }, "no model"],
  ])("say what is missing in %j", (attributes, fault) => {
    expect(read(attributes)).toMatchObject({ ok: false, fault: expect.stringContaining(fault) as string });
  });
});

it("puts key and model into the frame's address, but not the user", () => {
  const url = new URL(embedUrl("https://operator.example", { key: "lh_pk_acme_x", model: "ocr", user: "user-456", theme: "dark", backend: "auto", view: "picture" }));
  expect(url.origin + url.pathname).toBe("https://operator.example/embed");
  expect(Object.fromEntries(url.searchParams)).toEqual({ key: "lh_pk_acme_x", model: "ocr", theme: "dark" });
});
