import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { budgetOf, decideAdmission, memoryOf, type Resident } from "../../../client/pool/policy.ts";

const resident = (model: string, bytes: number, usedAt: number, more: Partial<Resident> = {}): Resident => ({ model, bytes, usedAt, isPinned: false, isBusy: false, ...more });
const residents = fc
  .array(fc.record({ bytes: fc.integer({ min: 1, max: 50 }), isPinned: fc.boolean(), isBusy: fc.boolean() }), { maxLength: 8 })
  .map((list) => list.map((one, at) => ({ ...one, model: `m${at}`, usedAt: at })))
  .chain((list) => fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length }));
const bytes = fc.integer({ min: 1, max: 120 });
const sum = (list: readonly Resident[]) => list.reduce((total, one) => total + one.bytes, 0);

describe("who leaves", () => {
  it.each<[string, readonly Resident[], number, ReturnType<typeof decideAdmission>]>([
    ["nobody, where there is room", [resident("a", 40, 1)], 60, { kind: "come", leave: [] }],
    ["the least recently used", [resident("a", 40, 2), resident("b", 40, 1)], 40, { kind: "come", leave: ["b"] }],
    ["no more than must", [resident("a", 10, 1), resident("b", 50, 2), resident("c", 30, 3)], 60, { kind: "come", leave: ["a", "b"] }],
    ["nobody who is pinned", [resident("a", 40, 1, { isPinned: true }), resident("b", 40, 2)], 40, { kind: "come", leave: ["b"] }],
    ["nobody at work: it is waited for", [resident("a", 80, 1, { isBusy: true })], 40, { kind: "wait" }],
    ["nobody, where pinned models leave too little", [resident("a", 80, 1, { isPinned: true })], 40, { kind: "full" }],
    ["all, for a model larger than the budget", [resident("a", 10, 1), resident("b", 10, 2)], 200, { kind: "come", leave: ["a", "b"] }],
    ["nobody, for a model larger than the budget in an empty pool", [], 200, { kind: "come", leave: [] }],
  ])("%s", (_, list, needed, admission) => {
    expect(decideAdmission(list, needed, 100)).toEqual(admission);
  });

  it("keeps the budget, the pinned and the busy; evicts in order of use and none too many", () => {
    fc.assert(
      fc.property(residents, bytes, (list, needed) => {
        const admission = decideAdmission(list, needed, 100);
        if (admission.kind !== "come") return;
        const leaving = list.filter(({ model }) => admission.leave.includes(model));
        const staying = list.filter(({ model }) => !admission.leave.includes(model));
        expect(staying.length === 0 || sum(staying) + needed <= 100).toBe(true);
        expect(leaving.some(({ isPinned, isBusy }) => isPinned || isBusy)).toBe(false);
        const newestLeaving = Math.max(-1, ...leaving.map(({ usedAt }) => usedAt));
        for (const one of staying) if (!one.isPinned && !one.isBusy) expect(one.usedAt).toBeGreaterThan(newestLeaving);
        const last = leaving.find(({ usedAt }) => usedAt === newestLeaving);
        if (last) expect(sum(staying) + last.bytes + needed).toBeGreaterThan(100);
      }),
      { numRuns: 3000 },
    );
  });

  it("refuses only what pinned models alone forbid, and waits only where those at work will make room", () => {
    fc.assert(
      fc.property(residents, bytes, (list, needed) => {
        const { kind } = decideAdmission(list, needed, 100);
        const pinned = list.filter(({ isPinned }) => isPinned);
        const isForbidden = pinned.length > 0 && sum(pinned) + needed > 100;
        expect(kind === "full").toBe(isForbidden);
        if (kind === "wait") expect(decideAdmission(list.map((one) => ({ ...one, isBusy: false })), needed, 100).kind).toBe("come");
      }),
      { numRuns: 3000 },
    );
  });
});

it.each([
  [null, 1],
  [0.25, 0.5],
  [4, 1],
  [8, 2],
  [64, 4],
])("a device with %s GB gives a budget of %s", (device, gigabytes) => {
  expect(budgetOf(device)).toBe(gigabytes * 1024 ** 3);
});

it("a model takes what its variant says, or twice its weights", () => {
  const files = [{ size: 30 }, { size: 12 }];
  expect(memoryOf({ requires: { memory_bytes: 7 }, files })).toBe(7);
  expect(memoryOf({ requires: {}, files })).toBe(84);
});
