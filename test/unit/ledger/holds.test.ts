import { expect, test } from "vitest";
import { Holds } from "../../../worker/ledger/holds.ts";

const NOTHING = { tokens: 0, nanos: 0 };

test("what is held is the sum of what was changed, for each scope and day", () => {
  const holds = new Holds();
  holds.change(["t", "u:x"], "2026-11-30", 5, 50);
  holds.change(["t"], "2026-11-30", 2, 20);
  holds.change(["t"], "2026-12-01", -1, -10);
  expect(holds.of("t", "2026-11-30")).toEqual({ tokens: 7, nanos: 70 });
  expect(holds.of("u:x", "2026-11-30")).toEqual({ tokens: 5, nanos: 50 });
  expect(holds.of("t", "2026-12-01")).toEqual({ tokens: -1, nanos: -10 });
  expect([holds.of("u:y", "2026-11-30"), holds.of("u:x", "2026-12-01")]).toEqual([NOTHING, NOTHING]);
});

test("what costs nothing is held too, and money of which no token is left", () => {
  const holds = new Holds();
  holds.change(["t"], "2026-11-30", 5, 0);
  holds.change(["u:x"], "2026-11-30", 0, 3);
  expect([holds.of("t", "2026-11-30"), holds.of("u:x", "2026-11-30")]).toEqual([{ tokens: 5, nanos: 0 }, { tokens: 0, nanos: 3 }]);
});

test("a day of which nothing is left takes no other with it", () => {
  const holds = new Holds();
  holds.change(["t"], "2026-11-29", 1, 1);
  holds.change(["t"], "2026-11-30", 5, 50);
  holds.change(["t"], "2026-11-30", -5, -50);
  expect([holds.of("t", "2026-11-30"), holds.of("t", "2026-11-29")]).toEqual([NOTHING, { tokens: 1, nanos: 1 }]);
  holds.change(["t"], "2026-11-29", -1, -1);
  holds.change(["t"], "2026-11-29", 2, 2);
  expect(holds.of("t", "2026-11-29")).toEqual({ tokens: 2, nanos: 2 });
  holds.clear();
  expect(holds.of("t", "2026-11-29")).toEqual(NOTHING);
});

test("what is held of a month is the sum of its days, whatever else is held", () => {
  const holds = new Holds();
  holds.change(["t", "u:x"], "2026-11-30", 5, 50);
  holds.change(["t"], "2026-11-01", 1, 10);
  holds.change(["t"], "2026-12-01", 100, 1_000);
  expect(holds.ofMonth("t", "2026-11")).toEqual({ tokens: 6, nanos: 60 });
  expect(holds.ofMonth("u:x", "2026-11")).toEqual({ tokens: 5, nanos: 50 });
  expect(holds.ofMonth("u:y", "2026-11")).toEqual(NOTHING);
});
