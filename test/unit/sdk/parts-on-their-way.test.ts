import { expect, it } from "vitest";
import { PartsOnTheirWay } from "../../../client/sdk/parts-on-their-way.ts";
import type { Sha256 } from "../../../schema/contract/ids.ts";

const [a, b] = ["a".repeat(64), "b".repeat(64)] as [Sha256, Sha256];
const files = [
  { path: "one", size: 3, sha256: a, chunks: [{ sha256: a, size: 1 }, { sha256: b, size: 2 }] },
  { path: "two", size: 1, sha256: a, chunks: [{ sha256: a, size: 1 }] },
];
const bytes = (...values: number[]) => Uint8Array.from(values);

it("names what files share once", () => {
  expect(new PartsOnTheirWay({ files }).files).toEqual([
    { path: "one", arriving: [{ part: 0, size: 1 }, { part: 1, size: 2 }] },
    { path: "two", arriving: [{ part: 0, size: 1 }] },
  ]);
});

it("gives what is ready at once, the rest as it comes, and each part once", async () => {
  const parts = new PartsOnTheirWay({ files });
  const rest = Promise.withResolvers<void>();
  parts.end(rest.promise);
  parts.add(b, bytes(1, 2), true);
  const given: unknown[] = [];
  const over = parts.deliver((part, _, due) => given.push([part, due]));
  expect(given).toEqual([[1, null]]);
  parts.add(a, bytes(3), false);
  expect(given).toEqual([[1, null], [0, a]]);
  rest.resolve();
  await over;
});

it("rejects as the rest does, also where that was before anybody asked", async () => {
  const parts = new PartsOnTheirWay({ files });
  parts.end(Promise.reject(new Error("weights-corrupt")));
  await new Promise((resolve) => setTimeout(resolve));
  await expect(parts.deliver(() => undefined)).rejects.toThrow("weights-corrupt");
});
