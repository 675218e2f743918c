/** Manifests on their way out: who may confirm that one is gone, and which may not go. */
import { beforeEach, expect, test } from "vitest";
import { LINGER_MS } from "../../../worker/ledger/collection-book.ts";
import { DraftBook } from "../../../worker/ledger/draft-book.ts";
import { memoryStore } from "../../support/sqlite-storage.ts";

const NOW = 1_800_000_000_000;
const draft = { model: "m", revision: "rev_1" };
const begun = { ...draft, manifestBytes: 400 };

let drafts: DraftBook;
beforeEach(() => {
  drafts = new DraftBook(memoryStore().store);
});

test("a deletion is confirmed by whoever sent it last", () => {
  drafts.drop(draft);
  const first = drafts.takeDropping(NOW, 10);
  expect([first.drafts, drafts.takeDropping(NOW + LINGER_MS - 1, 10).drafts]).toEqual([[draft], []]);
  const second = drafts.takeDropping(NOW + LINGER_MS, 10);
  drafts.gone(first);
  expect(drafts.open(begun, NOW + LINGER_MS)).toMatchObject({ ok: false });
  drafts.gone(second);
  expect(drafts.open(begun, NOW + LINGER_MS)).toMatchObject({ ok: true });
});

test("a deletion that was confirmed takes no draft that was begun after it", () => {
  drafts.drop(draft);
  const sent = drafts.takeDropping(NOW, 10);
  drafts.gone(sent);
  expect(drafts.open(begun, NOW)).toMatchObject({ ok: true });
  drafts.gone(sent);
  expect(drafts.nextDrop()).not.toBeNull();
});

test("as many are taken as are asked for, and the rest after them", () => {
  for (const revision of ["rev_1", "rev_2", "rev_3"]) drafts.drop({ model: "m", revision });
  expect([1, 2, 3].map(() => drafts.takeDropping(NOW, 2).drafts.length)).toEqual([2, 1, 0]);
});

test("a manifest that nobody began goes", () => {
  drafts.disown(begun);
  expect(drafts.takeDropping(NOW, 10).drafts).toEqual([draft]);
});

test("a manifest that nobody began goes although a deletion of it is under way, which may have overtaken it", () => {
  drafts.drop(draft);
  const sent = drafts.takeDropping(NOW, 10);
  drafts.disown(begun);
  drafts.gone(sent);
  expect(drafts.takeDropping(NOW + LINGER_MS, 10).drafts).toEqual([]);
  expect(drafts.takeDropping(NOW + LINGER_MS + 1, 10).drafts).toEqual([draft]);
});

test("a manifest that a draft has stays, whoever else did not begin it", () => {
  const opened = drafts.open(begun, NOW);
  drafts.disown(begun);
  expect([drafts.takeDropping(NOW, 10).drafts, opened.ok && drafts.holds(draft, opened.value)]).toEqual([[], true]);
});
