import { expect, it } from "vitest";
import { HubFault } from "../../../worker/imports/hub.ts";
import { inChunks } from "../../../worker/imports/in-chunks.ts";

const FILE = Uint8Array.from({ length: 1_050 }, (_, at) => at % 251);
const file = { path: "weights", size: FILE.length };

/** The file in parts of this size, which never end where a chunk does. */
async function* parts(size: number, of = FILE, onEnd: () => void = () => undefined): AsyncGenerator<Uint8Array> {
  try {
    for (let at = 0; at < of.length; at += size) yield of.subarray(at, at + size);
  } finally {
    onEnd();
  }
}
async function taken(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}
const codeOf = (work: Promise<unknown>) => work.then(() => null, (cause: unknown) => (cause instanceof HubFault ? cause.code : cause));

it.each([1, 7, 99, 100, 333, 5_000])("cuts parts of %i bytes into chunks, the last of what is left", async (size) => {
  const chunks = await taken(inChunks(parts(size), file, 0, 100));
  expect(chunks.map(({ length }) => length)).toEqual([...Array.from({ length: 10 }, () => 100), 50]);
  expect(Buffer.concat(chunks).equals(FILE)).toBe(true);
});

it("goes on from where a file was left", async () => {
  const chunks = await taken(inChunks(parts(7, FILE.subarray(900)), file, 900, 100));
  expect(Buffer.concat(chunks).equals(FILE.subarray(900))).toBe(true);
});

it("may be left after any chunk, though no part ends there, and leaves the parts then", async () => {
  let isLeft = false;
  for await (const chunk of inChunks(parts(33, FILE, () => (isLeft = true)), file, 0, 100)) {
    expect(chunk).toHaveLength(100);
    break;
  }
  expect(isLeft).toBe(true);
});

it("tells a file that is shorter, or longer, than the hub said", async () => {
  expect(await codeOf(taken(inChunks(parts(33, FILE.subarray(0, 1_049)), file, 0, 100)))).toBe("source-unreachable");
  expect(await codeOf(taken(inChunks(parts(33, Uint8Array.of(...FILE, 1)), file, 0, 100)))).toBe("source-changed");
});
