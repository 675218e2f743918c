import { expect, test } from "vitest";
import { type Account, type Usage, endCharge, grantChange, reportCharge } from "../../../worker/ledger/charges.ts";

const prices = { input_nanos_per_token: 2, output_nanos_per_token: 3, call_nanos: 7 };
const fresh: Account = { purpose: "inference", prices, hold: 100, holdNanos: 307, holdCalls: 1, reported: 0, costNanos: 0, calls: 0 };
const begun: Account = { ...fresh, reported: 30, costNanos: 67, calls: 1 };
const download: Account = { ...fresh, purpose: "download", hold: 0, holdNanos: 0, holdCalls: 0 };
/** Four calls were held, and one report has told of two. */
const shared: Account = { ...fresh, holdNanos: 328, holdCalls: 4, reported: 30, costNanos: 74, calls: 2 };
const usage = (inputTokens: number, outputTokens: number, more: Partial<Usage> = {}): Usage => ({ inputTokens, outputTokens, calls: null, ran: true, final: true, ...more });

test("a grant holds tokens and the most that they can cost", () => {
  expect(grantChange(100, 307)).toEqual({ held: 100, posted: 0, heldNanos: 307, postedNanos: 0 });
});

test.each([
  ["the only report posts what it names and gives back the rest", fresh, usage(10, 20), [-100, 30, -307, 87], 1, 70],
  ["a partial report moves what it names and gives back nothing", fresh, usage(10, 20, { final: false }), [-30, 30, -87, 87], 1, 0],
  ["the last of several pays no second call", begun, usage(0, 10), [-70, 10, -240, 30], 0, 60],
  ["all of the hold, and nothing comes back but the difference of price", fresh, usage(100, 0), [-100, 100, -307, 207], 1, 0],
  ["a failure before anything ran costs nothing", fresh, usage(0, 0, { ran: false }), [-100, 0, -307, 0], 0, 100],
  ["a failure that used tokens pays its call", fresh, usage(1, 0, { ran: false }), [-100, 1, -307, 9], 1, 99],
  ["a run without tokens pays its call", fresh, usage(0, 0), [-100, 0, -307, 7], 1, 100],
  ["a report of several calls pays each", { ...shared, reported: 0, costNanos: 0, calls: 0 }, usage(10, 20, { calls: 3, final: false }), [-30, 30, -101, 101], 3, 0],
  ["one more of a shared lease pays it, and the rest comes back", shared, usage(10, 0, { calls: 1 }), [-70, 10, -254, 27], 1, 60],
  ["the end of a lease that nothing ran on costs nothing", { ...shared, reported: 0, costNanos: 0, calls: 0 }, usage(0, 0, { calls: 0 }), [-100, 0, -328, 0], 0, 100],
  ["what used tokens is a call, whatever the first report says", fresh, usage(10, 20, { calls: 0 }), [-100, 30, -307, 87], 1, 70],
  ["a failure among several calls pays none", shared, usage(0, 0, { calls: 0, ran: false, final: false }), [-0, 0, -0, 0], 0, 0],
  ["a download pays nothing", download, usage(0, 0), [-0, 0, -0, 0], 0, 0],
] as const)("%s", (_name, account, used, [held, posted, heldNanos, postedNanos], calls, refund) => {
  const charge = reportCharge(account, used);
  expect(charge.change).toEqual({ held, posted, heldNanos, postedNanos });
  expect([charge.tokens, charge.costNanos, charge.calls, charge.refund]).toEqual([posted, postedNanos, calls, refund]);
});

test.each([
  ["never reported, the whole hold is posted at the dearer price, with its call", fresh, [-100, 100, -307, 307], 1],
  ["partly reported, the rest is posted, without a second call", begun, [-70, 70, -240, 210], 0],
  ["of a shared lease, the calls that no report named are posted with the rest", shared, [-70, 70, -254, 224], 2],
  ["a download costs nothing", download, [-0, 0, 0, 0], 0],
] as const)("%s", (_name, account, [held, posted, heldNanos, postedNanos], calls) => {
  const charge = endCharge(account);
  expect(charge.change).toEqual({ held, posted, heldNanos, postedNanos });
  expect([charge.tokens, charge.costNanos, charge.calls, charge.refund]).toEqual([posted, postedNanos, calls, 0]);
});

test("what can't be counted is never charged", () => {
  const dear: Account = { ...fresh, hold: 10_000, prices: { ...prices, input_nanos_per_token: 1_000_000_000_000 } };
  expect(() => reportCharge(dear, usage(10_000, 0))).toThrow(RangeError);
  expect(() => endCharge(dear)).toThrow(RangeError);
});

test("without a call price the end costs tokens alone", () => {
  const { call_nanos: _, ...perToken } = prices;
  expect(endCharge({ ...fresh, prices: perToken, holdNanos: 300 }).costNanos).toBe(300);
});
