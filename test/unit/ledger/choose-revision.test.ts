/** Who gets a canary, and who may go on with the revision that they have. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ModelId, RevisionId, Sha256 } from "../../../schema/contract/ids.ts";
import { type Asker, chooseRevision, placeOf } from "../../../worker/ledger/choose-revision.ts";
import type { Staged } from "../../../worker/ledger/rollout-book.ts";

const NOW = 1_000_000;
const staged = (revision: string, more: Partial<Staged>): Staged => ({
  model: "m" as ModelId, revision: revision as RevisionId, manifestSha256: revision as Sha256, stage: "retired", since: 0, percent: null, committedAt: 0, grantedUntil: null, controlFlow: false, base: null, sizeBytes: 1, createdAt: 0, ...more,
});
const live = staged("live", { stage: "live" });
const canary = (percent: number) => staged("canary", { stage: "canary", percent });
const asker = (user: string | null, jkt: string | null = null): Asker => ({ tenant: "acme", model: "m", user, jkt });
const granted = (percent: number, who: Asker, ready: Staged | null = null) => chooseRevision({ live, canary: canary(percent), ready }, who, NOW).granted.revision;

const askers = fc.record({ tenant: fc.string(), model: fc.string(), user: fc.option(fc.string({ minLength: 1 })), jkt: fc.option(fc.string({ minLength: 1 })) });

describe("a canary", () => {
  test("is seen by the same users every time, and by more of them the higher its percentage, never by fewer", () => {
    fc.assert(
      fc.property(askers, fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 100 }), (who, one, other) => {
        const [low, high] = [Math.min(one, other), Math.max(one, other)];
        expect(granted(low, who)).toBe(granted(low, { ...who }));
        if (granted(low, who) === "canary") expect(granted(high, who)).toBe("canary");
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([1, 5, 25, 50, 90])("of %i % is seen by about so many of the users", (percent) => {
    const users = Array.from({ length: 20_000 }, (_, index) => asker(`user-${index}`));
    const share = users.filter((who) => granted(percent, who) === "canary").length / users.length;
    // Four standard deviations: the users are fixed, so it holds or it does not.
    expect(Math.abs(share - percent / 100)).toBeLessThan(4 * Math.sqrt((percent / 100) * (1 - percent / 100)) / Math.sqrt(users.length));
  });

  test("of 100 % is seen by all who can be told apart, and by nobody who can't", () => {
    fc.assert(
      fc.property(askers, (who) => {
        expect(granted(100, who)).toBe(who.user === null && who.jkt === null ? "live" : "canary");
      }),
    );
  });

  test("goes by the user; without one, by the key of the lease; a user of the same spelling as a key stands elsewhere", () => {
    expect(placeOf(asker("u", "one"))).toBe(placeOf(asker("u", "other")));
    expect(placeOf(asker(null, "u"))).not.toBe(placeOf(asker("u")));
    expect(placeOf({ ...asker("u"), tenant: "globex" })).not.toBe(placeOf(asker("u")));
    expect(placeOf({ ...asker("u"), model: "n" })).not.toBe(placeOf(asker("u")));
  });
});

describe("what a client has ready", () => {
  const retired = (grantedUntil: number | null) => staged("old", { grantedUntil });
  const someone = asker("someone");

  test.each<[string, Staged | null, string, string | null]>([
    ["nothing", null, "live", null],
    ["the live one", live, "live", null],
    ["one that was replaced lately", retired(NOW + 1), "old", "live"],
    ["one that was replaced too long ago", retired(NOW), "live", null],
    ["one that was rolled back from", retired(null), "live", null],
    ["a draft", staged("draft", { stage: "draft" }), "live", null],
  ])("%s", (_, ready, wanted, next) => {
    const choice = chooseRevision({ live, canary: null, ready }, someone, NOW);
    expect([choice.granted.revision, choice.next?.due.revision ?? null]).toEqual([wanted, next]);
  });

  test("the live one will do for a user of the canary, for as long as it is live", () => {
    expect(chooseRevision({ live, canary: canary(100), ready: live }, someone, NOW)).toEqual({ granted: live, next: { due: canary(100), until: null } });
  });

  test("a canary will not do for whom it is not", () => {
    expect(chooseRevision({ live, canary: canary(100), ready: canary(100) }, asker(null), NOW)).toEqual({ granted: live, next: null });
  });
});
