import { afterEach, expect, test, vi } from "vitest";
import { requireBrowser } from "../../../client/sdk/browser-needs.ts";
import { Leasehold } from "../../../client/sdk/leasehold.ts";

const { withResolvers } = Promise;
afterEach(() => {
  vi.unstubAllGlobals();
  Object.assign(Promise, { withResolvers });
});

test("a browser that has all of it may run models", () => {
  expect(requireBrowser).not.toThrow();
});

test("a browser that lacks something is told so, by a call and before anything is fetched", async () => {
  vi.stubGlobal("addEventListener", () => undefined); // a page's
  vi.stubGlobal("WebAssembly", undefined);
  Reflect.deleteProperty(Promise, "withResolvers");
  const fetch = vi.fn();
  vi.stubGlobal("fetch", fetch);
  const lh = new Leasehold({ publishableKey: `lh_pk_acme_${"a".repeat(32)}00000000`, baseUrl: "http://localhost" });
  const call = lh.completions.create({ model: "chat", prompt: "Once" });
  await expect(call).rejects.toMatchObject({ code: "backend-unavailable", message: expect.stringContaining("lacks WebAssembly and Promise.withResolvers") as string });
  expect(fetch).not.toHaveBeenCalled();
});
