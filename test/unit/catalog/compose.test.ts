/** A file of a base with changed ranges: the same bytes, from whole chunks of the base wherever they stay whole. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Chunk } from "../../../schema/contract/models.ts";
import { type Change, compose } from "../../../worker/catalog/compose.ts";

const named = (name: string, size: number) => ({ sha256: name, size }) as unknown as Chunk;

/** Chunks of these sizes, and changes that leave the first gap, change the next run, and so on. */
const madeFile = fc.record({ sizes: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 }), runs: fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 1, max: 12 })), { maxLength: 5 }) }).map(({ sizes, runs }) => {
  const chunks = sizes.map((size, at) => named(`base ${at}`, size));
  const size = sizes.reduce((sum, one) => sum + one, 0);
  const changes: Change[] = [];
  let at = 0;
  for (const [gap, length] of runs) {
    if (at + gap + length > size) break;
    changes.push({ offset: at + gap, size: length, chunks: [named(`own ${changes.length}`, length)] });
    at += gap + length;
  }
  return { file: { size, chunks }, changes };
});

/** Each byte by where it is from. */
const bytesOf = (name: string, from: number, size: number) => Array.from({ length: size }, (_, at) => `${name}:${from + at}`);

test("every byte is the base's or the change's, in its place; what stays whole is a chunk of the base, and no more is cut than the changes cut", () => {
  fc.assert(
    fc.property(madeFile, ({ file, changes }) => {
      const whole = file.chunks.flatMap(({ sha256, size }) => bytesOf(sha256, 0, size));
      for (const { offset, size, chunks } of changes) whole.splice(offset, size, ...bytesOf((chunks[0] as Chunk).sha256, 0, size));
      const parts = compose(file, [...changes].reverse()) ?? [];
      expect(parts.flatMap((part) => (part.kind === "chunk" ? bytesOf(part.chunk.sha256, 0, part.chunk.size) : bytesOf(part.edge.of, part.edge.offset, part.edge.size)))).toEqual(whole);
      let start = 0;
      const untouched = file.chunks.filter(({ size }) => {
        const [from, to] = [start, (start += size)];
        return changes.every((change) => change.offset >= to || change.offset + change.size <= from);
      });
      expect(parts.flatMap((part) => (part.kind === "chunk" && part.chunk.sha256.startsWith("base") ? [part.chunk.sha256] : []))).toEqual(untouched.map(({ sha256 }) => sha256));
      expect(parts.filter(({ kind }) => kind === "edge").length).toBeLessThanOrEqual(2 * changes.length);
    }),
    { numRuns: 2_000 },
  );
});

test("changes that lie over each other, or beyond the end, make no file", () => {
  const file = { size: 10, chunks: [named("base", 10)] };
  const change = (offset: number, size: number): Change => ({ offset, size, chunks: [named("own", size)] });
  expect(compose(file, [change(2, 4), change(5, 2)])).toBeNull();
  expect(compose(file, [change(2, 4), change(2, 4)])).toBeNull();
  expect(compose(file, [change(8, 3)])).toBeNull();
  expect(compose(file, [change(0, 10)])).toHaveLength(1);
});
