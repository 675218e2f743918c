import { describe, expect, it } from "vitest";
import { contentOf } from "../../../../client/runtime/tasks/file-content.ts";

const part = (...values: number[]) => Uint8Array.from(values);
const shared = part(7, 8);
const parts = [part(0, 1, 2), part(3), shared, part(), shared];
const whole = [0, 1, 2, 3, 7, 8, 7, 8];

describe("a file in memory", () => {
  const content = contentOf({ path: "model.onnx", parts });

  it("is as long as its parts together", () => {
    expect(content.size).toBe(whole.length);
  });

  it("gives any range of itself, within one part or over several", async () => {
    for (let offset = 0; offset <= whole.length; offset++) {
      for (let length = 0; offset + length <= whole.length; length++) expect([...(await content.read(offset, length))]).toEqual(whole.slice(offset, offset + length));
    }
  });

  it("copies nothing that lies in one part", () => {
    expect(content.kind === "loaded" && content.readNow(1, 2).buffer === parts[0]?.buffer).toBe(true);
  });
});

it("a file in a Blob gives the same ranges", async () => {
  const content = contentOf({ path: "model.onnx", blob: new Blob(parts) });
  expect(content.size).toBe(whole.length);
  expect([...(await content.read(2, 4))]).toEqual(whole.slice(2, 6));
});
