import { expect, test } from "vitest";
import { ndjson } from "../../../worker/audit/ndjson.ts";

const lines = async (stream: ReadableStream<Uint8Array>) => (await new Response(stream).text()).split("\n");

test("pages become lines, in order; an empty page in between is passed over", async () => {
  const pages = [{ items: [{ a: 1 }, { a: 2 }], next: 2 }, { items: [], next: 4 }, { items: [{ a: 5 }], next: null }];
  const asked: number[] = [];
  const stream = ndjson(async (after) => {
    asked.push(after);
    return pages[asked.length - 1] as (typeof pages)[number];
  });
  expect(await lines(stream)).toEqual(['{"a":1}', '{"a":2}', '{"a":5}', ""]);
  expect(asked).toEqual([0, 2, 4]);
});

test("no chunk is empty: a reader is woken for something", async () => {
  const pages = [{ items: [], next: 1 }, { items: [1], next: 2 }, { items: [], next: null }];
  const chunks: Uint8Array[] = [];
  for await (const chunk of ndjson(async (after) => pages[after] as (typeof pages)[number])) chunks.push(chunk);
  expect(chunks.map((chunk) => chunk.length)).toEqual([2]);
});

test("nothing at all is an empty body", async () => {
  expect(await lines(ndjson(async () => ({ items: [], next: null })))).toEqual([""]);
});

test("a page that fails breaks the stream: what came is not taken for all", async () => {
  const stream = ndjson(async (after) => {
    if (after > 0) throw new Error("D1 is away");
    return { items: [1], next: 1 };
  });
  await expect(lines(stream)).rejects.toThrow("D1 is away");
});

test("a reader who leaves off is read nothing more for", async () => {
  let pages = 0;
  const reader = ndjson(async () => ({ items: [pages], next: ++pages })).getReader();
  await reader.read();
  await reader.cancel();
  expect(pages).toBeLessThanOrEqual(2);
});
