import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Arrivals, contentOf, PartMemory } from "../../../../client/runtime/tasks/file-content.ts";
import { PartFault } from "../../../../client/runtime/tasks/part-fault.ts";
import type { Sha256 } from "../../../../schema/contract/ids.ts";

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

it("memory goes when no file needs it any more, and what is gone is not read", async () => {
  const [first, both, last] = [part(1, 2), part(3, 4), part(5, 6)];
  const memory = new PartMemory();
  const [one, other] = [contentOf({ path: "a", parts: [first, both] }, memory), contentOf({ path: "b", parts: [both, last] }, memory)];
  if (one.kind !== "loaded" || other.kind !== "loaded") throw new Error("they are in memory");
  one.keepOnly([{ offset: 0, length: 1 }]);
  expect([first, both, last].map(({ length }) => length)).toEqual([2, 2, 2]);
  other.keepOnly([{ offset: 2, length: 2 }]);
  expect([first, both, last].map(({ length }) => length)).toEqual([2, 0, 2]);
  expect([...one.readNow(0, 2)]).toEqual([1, 2]);
  expect(() => one.readNow(1, 2)).toThrow("was let go");
  await expect(other.read(0, 1)).rejects.toThrow("was let go");
});

it("a file in a Blob gives the same ranges", async () => {
  const content = contentOf({ path: "model.onnx", blob: new Blob(parts) });
  expect(content.size).toBe(whole.length);
  expect([...(await content.read(2, 4))]).toEqual(whole.slice(2, 6));
});

describe("a file on its way", () => {
  const arriving = [
    { part: 0, size: 3 },
    { part: 1, size: 2 },
    { part: 0, size: 3 },
  ];

  it("gives what has arrived, waits for the rest, and has a part that stands in it twice once", async () => {
    const arrivals = new Arrivals();
    arrivals.give({ part: 1, bytes: part(7, 8), due: null }); // before anybody has asked for it
    const content = contentOf({ path: "model.onnx", arriving }, new PartMemory(), arrivals);
    if (content.kind !== "loaded") throw new Error("it is to be in memory");
    expect(content.size).toBe(8);
    expect([...(await content.read(3, 2))]).toEqual([7, 8]);
    expect(() => content.readNow(2, 2)).toThrow("has not arrived");
    let isWhole = false;
    const over = content.arrived().then(() => (isWhole = true));
    const waiting = content.read(2, 4);
    await Promise.resolve();
    expect(isWhole).toBe(false);
    arrivals.give({ part: 0, bytes: part(0, 1, 2), due: null });
    expect([...(await waiting)]).toEqual([2, 7, 8, 0]);
    await over;
    expect([...content.readNow(0, 8)]).toEqual([0, 1, 2, 7, 8, 0, 1, 2]);
  });

  it("lets memory go like any other", () => {
    const arrivals = new Arrivals();
    const content = contentOf({ path: "model.onnx", arriving }, new PartMemory(), arrivals);
    const given = part(0, 1, 2);
    arrivals.give({ part: 0, bytes: given, due: null });
    arrivals.give({ part: 1, bytes: part(7, 8), due: null });
    if (content.kind !== "loaded") throw new Error("it is to be in memory");
    content.keepOnly([{ offset: 5, length: 3 }]);
    expect(given.length).toBe(3);
    content.keepOnly([]);
    expect(given.length).toBe(0);
  });

  it("is kept by who has it alone, once all is loaded", async () => {
    const arrivals = new Arrivals();
    const content = contentOf({ path: "model.onnx", arriving: [{ part: 0, size: 2 }] }, new PartMemory(), arrivals);
    arrivals.give({ part: 0, bytes: part(7, 8), due: null });
    expect(arrivals.part(0, 2).bytes).toEqual(part(7, 8));
    arrivals.end();
    expect(arrivals.part(0, 2).bytes).toBeNull();
    expect([...(await content.read(0, 2))]).toEqual([7, 8]);
  });

  const digestOf = (...values: number[]) => createHash("sha256").update(part(...values)).digest("hex") as Sha256;
  const ours = async (due: Sha256) => {
    const arrivals = new Arrivals();
    const content = contentOf({ path: "model.onnx", arriving: [{ part: 0, size: 2 }] }, new PartMemory(), arrivals);
    if (content.kind !== "loaded") throw new Error("it is to be in memory");
    return { content, give: () => arrivals.give({ part: 0, bytes: part(7, 8), due }) };
  };

  it.each([true, false])("is verified where its SHA-256 is due, also when its memory has gone before anybody asked (%s)", async (isGone) => {
    const [right, wrong] = [await ours(digestOf(7, 8)), await ours(digestOf(7, 9))];
    for (const { content, give } of [right, wrong]) {
      give();
      if (isGone) content.keepOnly([]);
    }
    await right.content.verified();
    await expect(wrong.content.verified()).rejects.toBeInstanceOf(PartFault);
  });

  it("is not verified before all of it has come", async () => {
    const { content, give } = await ours(digestOf(7, 9));
    const verified = content.verified();
    give();
    await expect(verified).rejects.toMatchObject({ code: "weights-corrupt" });
  });
});
