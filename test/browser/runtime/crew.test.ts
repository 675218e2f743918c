/** Threads of a decoder on kernels that don't come to be: the decoder goes on alone, and at once. */
import { expect, test } from "vitest";

test.each([
  ["whose start fails", "fails"],
  ["that the page's policy refuses", "refused"],
])("a thread %s is not waited for", async (_, start) => {
  const worker = new Worker(new URL("../../support/workers/crew-start.worker.ts", import.meta.url), { type: "module" });
  const count = new Promise((resolve) => worker.addEventListener("message", ({ data }) => resolve(data)));
  worker.postMessage(start);
  expect(await count).toBe(1);
  worker.terminate();
});
