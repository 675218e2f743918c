/** Which days' sums a page of the chain judges, and where their costs are looked for. */
import { expect, test } from "vitest";
import { type BillSources, unlikeCosts } from "../../../worker/audit/verify-bills.ts";
import { type ChainHead, EMPTY_CHAIN } from "../../../worker/ledger/audit-chain.ts";
import { ALL_DAYS, type Days, EVERYWHERE, type Stretch, type Unlike } from "../../../worker/tenants/bill-records.ts";

const head = (seq: number, at: string): ChainHead => ({ seq, hash: "", at: Date.parse(at) });
const found: Unlike = { day: "2026-11-20", model: "m", user_id: "", count: 3, last: "2026-11-21" };

function sources(answer: (stretch: Stretch) => Unlike | null) {
  const asked: [Days, Stretch][] = [];
  const d1 = { unlikeCosts: async (days: Days, stretch: Stretch) => (asked.push([days, stretch]), answer(stretch)) };
  return { asked, sources: { d1 } as unknown as BillSources };
}

test("each day is judged by one page: that by whose end its last lease has been told of", async () => {
  const { asked, sources: from } = sources(() => null);
  const ends = [head(50_000, "2026-11-20T12:00:00Z"), head(100_000, "2026-11-20T13:00:00Z"), head(150_000, "2026-11-23T00:00:00Z"), null];
  for (const [at, end] of ends.entries()) expect(await unlikeCosts(ends[at - 1] ?? EMPTY_CHAIN, end, from)).toEqual([]);
  expect(asked).toEqual([
    [{ from: "", through: "2026-11-16" }, { since: null, upTo: 50_000 }],
    [{ from: "2026-11-17", through: "2026-11-19" }, { since: Date.parse("2026-11-16T10:00:00Z"), upTo: 150_000 }],
    [{ from: "2026-11-20", through: ALL_DAYS.through }, { since: Date.parse("2026-11-19T10:00:00Z"), upTo: null }],
  ]);
});

test("a record that came later than it should is looked for everywhere, before a sum is said to be wrong", async () => {
  const late = sources((stretch) => (stretch === EVERYWHERE ? null : found));
  expect(await unlikeCosts(EMPTY_CHAIN, head(9, "2026-11-23T00:00:00Z"), late.sources)).toEqual([]);
  expect(late.asked[1]).toEqual([{ from: "2026-11-20", through: "2026-11-21" }, EVERYWHERE]);
  const wrong = sources(() => found);
  expect(await unlikeCosts(EMPTY_CHAIN, null, wrong.sources)).toEqual([{ kind: "day-unlike-costs", key: { day: "2026-11-20", model: "m", user_id: "" }, count: 3 }]);
});
