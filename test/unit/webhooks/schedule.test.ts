import { expect, test } from "vitest";
import { PAUSES, nextStep } from "../../../worker/webhooks/schedule.ts";

const answered = (status: number | null) => ({ status, error: null });

test.each([200, 201, 202, 204, 299])("%d is delivered", (status) => expect(nextStep(answered(status), 0, 0)).toEqual({ kind: "delivered" }));

test.each([null, 199, 300, 301, 302, 307, 308, 400, 401, 404, 429, 500, 503])("%s comes again", (status) => expect(nextStep(answered(status), 0, 1000)).toEqual({ kind: "again", at: 6000 }));

test("410 is gone, at any attempt", () => {
  expect([0, 5, 9].map((attempts) => nextStep(answered(410), attempts, 0).kind)).toEqual(["gone", "gone", "gone"]);
});

test("pauses grow, for some three days, and then it has failed", () => {
  let now = 0;
  const at: number[] = [];
  for (let attempts = 0; ; attempts++) {
    const next = nextStep(answered(500), attempts, now);
    if (next.kind !== "again") {
      expect(next).toEqual({ kind: "failed" });
      break;
    }
    now = next.at;
    at.push(now / 1000);
  }
  expect(at).toHaveLength(PAUSES.length);
  expect(at.slice(0, 4)).toEqual([5, 305, 2105, 9305]);
  expect([...PAUSES]).toEqual([...PAUSES].sort((a, b) => a - b));
  expect(now / 86_400_000).toBeGreaterThan(3);
});
