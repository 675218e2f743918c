import { expect, test } from "vitest";
import { MAX_ATTEMPTS, afterFailure } from "../../../worker/imports/after-failure.ts";
import { HubFault } from "../../../worker/imports/hub.ts";

const NOW = 1_000_000;
const unreachable = new HubFault("source-unreachable", "The hub answered 500.");

test("what may be better the next time is tried again, after pauses that grow to a minute", () => {
  const pauses = Array.from({ length: MAX_ATTEMPTS - 1 }, (_, attempts) => {
    const then = afterFailure(unreachable, attempts, NOW);
    return then.kind === "again" ? (then.at - NOW) / 1000 : then;
  });
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
});

test("a hub that says when to come again is asked then, but never sooner than otherwise, nor after more than ten minutes", () => {
  const pauseAfter = (seconds: number, attempts: number) => {
    const then = afterFailure(new HubFault("source-unreachable", "The hub answered 429.", false, seconds * 1000), attempts, NOW);
    return then.kind === "again" ? (then.at - NOW) / 1000 : then;
  };
  expect([pauseAfter(300, 0), pauseAfter(1, 3), pauseAfter(86_400, 0)]).toEqual([300, 8, 600]);
});

test.each([
  ["a hub that can't be reached", unreachable, "source-unreachable"],
  ["what fails on our side", new TypeError("no such table: imports"), "service-failed"],
  ["what is thrown and is no error", "gone", "service-failed"],
])("%s ends the import with a code after ten times in a row", (_, cause, code) => {
  expect(afterFailure(cause, MAX_ATTEMPTS - 2, NOW).kind).toBe("again");
  expect(afterFailure(cause, MAX_ATTEMPTS - 1, NOW)).toMatchObject({ kind: "ended", code });
});

test("what will be no better ends it at once; what failed on our side is not told", () => {
  expect(afterFailure(new HubFault("source-forbidden", "The hub answered 403."), 0, NOW)).toEqual({ kind: "ended", code: "source-forbidden", detail: "The hub answered 403." });
  expect(JSON.stringify(afterFailure(new Error("/secret/path"), 0, NOW))).not.toContain("secret");
});
