/** Followers of the catalogue that are asked while other things happen to them. */
import { expect, test } from "vitest";
import { FollowerBook } from "../../../worker/ledger/follower-book.ts";
import { memoryStore } from "../../support/sqlite-storage.ts";

const LENT_MS = 600_000;

function bookOf() {
  const book = new FollowerBook(memoryStore().store);
  book.add("m", "t", null, "rev_1", 0);
  const due = (now: number) => {
    const [one] = book.due(now, 1);
    if (!one) throw new Error("nobody is due");
    return one;
  };
  return { book, due };
}

test("a doubt that is raised while a follower is asked is not settled by its answer", () => {
  const { book, due } = bookOf();
  book.expect("m", 1000);
  const asked = due(1000);
  book.doubt("t", "m", 1000);
  book.given(asked, "rev_2", "rev_2", 1000);
  expect(due(1000)).toMatchObject({ given: "rev_2", isDoubted: true });
});

test("nor is one that is raised again, in the very same moment", () => {
  const { book, due } = bookOf();
  book.doubt("t", "m", 1000);
  const asked = due(1000);
  book.doubt("t", "m", 1000);
  book.given(asked, "rev_1", "rev_1", 1000);
  expect(due(2000).isDoubted).toBe(true);
});

test("one that was asked before a grant could come to be is asked again when it has", () => {
  const { book, due } = bookOf();
  book.doubt("t", "m", 1000 + LENT_MS);
  book.expect("m", 2000);
  book.given(due(2000), "rev_2", "rev_2", 2000);
  expect(book.due(LENT_MS, 1)).toEqual([]);
  expect(due(1000 + LENT_MS).isDoubted).toBe(true);
});

test("a doubt that was there before is settled, and nobody is asked any more", () => {
  const { book, due } = bookOf();
  book.doubt("t", "m", 1000);
  book.given(due(1000), "rev_1", "rev_1", 1001);
  expect([book.nextAt(), book.due(Infinity, 1)]).toEqual([null, []]);
});

test("where another revision is live by then, it stays due", () => {
  const { book, due } = bookOf();
  book.expect("m", 1000);
  book.given(due(1000), "rev_2", "rev_3", 1001);
  expect(due(1001)).toMatchObject({ given: "rev_2", isDoubted: false });
});
