import { beforeEach, expect, test } from "vitest";
import { IdempotencyKeys } from "../../../worker/ledger/idempotency.ts";
import { done, refuse } from "../../../worker/ledger/result.ts";
import { memoryStore } from "../../support/sqlite-storage.ts";

const NOW = 1_800_000_000_000;
const DAY = 86_400_000;
const call = (key: string, bodySha256 = "a", by = "key_1") => ({ by, key, bodySha256 });

let keys: IdempotencyKeys;
let worked: number;
const work = () => done({ n: ++worked });
beforeEach(() => {
  keys = new IdempotencyKeys(memoryStore().store);
  worked = 0;
});

test("the same key and body: the work is done once, and answered the same", () => {
  expect([keys.once(call("k"), NOW, work), keys.once(call("k"), NOW + 5, work)]).toEqual([{ ok: true, value: { n: 1 } }, { ok: true, value: { n: 1 } }]);
  expect(keys.recall(call("k"), NOW + 5)).toEqual({ ok: true, value: { n: 1 } });
  expect(worked).toBe(1);
});

test("the same key with another body is refused, and nothing is done", () => {
  keys.once(call("k"), NOW, work);
  expect(keys.once(call("k", "b"), NOW, work)).toMatchObject({ ok: false, refusal: { code: "idempotency-key-reused" } });
  expect(worked).toBe(1);
});

test("another key, or none, is another call", () => {
  for (const one of [call("k"), call("l"), null, null]) keys.once(one, NOW, work);
  expect(worked).toBe(4);
  expect([keys.recall(null, NOW), keys.recall(call("m"), NOW)]).toEqual([null, null]);
});

test("a refusal is not kept: the same call may be tried again", () => {
  expect(keys.once(call("k"), NOW, () => refuse("conflict", "x"))).toMatchObject({ ok: false });
  expect(keys.once(call("k"), NOW, work)).toEqual({ ok: true, value: { n: 1 } });
});

test("an answer is kept for a day, to the millisecond; then the key is as new, with any body", () => {
  keys.once(call("k"), NOW, work);
  expect(keys.once(call("k"), NOW + DAY - 1, work)).toEqual({ ok: true, value: { n: 1 } });
  expect(keys.once(call("k", "b"), NOW + DAY, work)).toEqual({ ok: true, value: { n: 2 } });
  expect(keys.recall(call("k", "b"), NOW + 2 * DAY - 1)).toEqual({ ok: true, value: { n: 2 } });
});

test("the same key of another credential is another call, with any body", () => {
  keys.once(call("k"), NOW, work);
  expect(keys.recall(call("k", "a", "key_2"), NOW)).toBeNull();
  expect(keys.once(call("k", "b", "key_2"), NOW, work)).toEqual({ ok: true, value: { n: 2 } });
  expect([keys.recall(call("k"), NOW), keys.recall(call("k", "b", "key_2"), NOW)]).toEqual([{ ok: true, value: { n: 1 } }, { ok: true, value: { n: 2 } }]);
});

test("work that may be done again is done every time, and its key is for one request all the same", () => {
  expect([keys.each(call("k"), NOW, work), keys.each(call("k"), NOW + 5, work), keys.each(null, NOW, work)]).toEqual([1, 2, 3].map((n) => ({ ok: true, value: { n } })));
  expect(keys.refuses(call("k"), NOW + 5)).toBeNull();
  for (const refused of [keys.refuses(call("k", "b"), NOW + 5), keys.each(call("k", "b"), NOW + 5, work)]) expect(refused).toMatchObject({ ok: false, refusal: { code: "idempotency-key-reused" } });
  expect(worked).toBe(3);
  expect(keys.recall(call("k"), NOW)).toEqual({ ok: true, value: null });
});

test("a refusal of such work leaves the key free for any request", () => {
  expect(keys.each(call("k"), NOW, () => refuse("conflict", "x"))).toMatchObject({ ok: false });
  expect([keys.refuses(call("k", "b"), NOW), keys.refuses(null, NOW)]).toEqual([null, null]);
});
