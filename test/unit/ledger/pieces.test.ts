/** What is bound as JSON stays under the platform's limit of a value. */
import { expect, test } from "vitest";
import { jsonPieces } from "../../../worker/ledger/pieces.ts";

const sizesOf = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [n.toString(16).padStart(64, "0"), 16_777_216]));

test.each([[0, 0], [1, 1], [10_000, 1], [10_001, 2], [45_000, 5]])("%i entries are %i pieces, each of which can be bound, and together all", (count, expected) => {
  const sizes = sizesOf(count);
  const pieces = [...jsonPieces(sizes)];
  expect(pieces).toHaveLength(expected);
  for (const piece of pieces) expect(piece.length).toBeLessThan(1_000_000);
  expect(Object.assign({}, ...pieces.map((piece) => JSON.parse(piece)))).toEqual(sizes);
});
