import { describe, expect, test } from "vitest";
import { dayAt, dayEndsAt, monthEndsAt, monthOf } from "../../../worker/ledger/calendar.ts";

const HOUR = 3_600_000;
const at = (text: string) => Date.parse(text);
const iso = (ms: number) => new Date(ms).toISOString();

describe("the day that a calendar shows", () => {
  test.each([
    ["UTC", "2026-11-20T23:59:59.999Z", "2026-11-20"],
    ["UTC", "2026-11-21T00:00:00Z", "2026-11-21"],
    ["Europe/Berlin", "2026-11-20T22:59:59.999Z", "2026-11-20"],
    ["Europe/Berlin", "2026-11-20T23:00:00Z", "2026-11-21"],
    ["America/New_York", "2026-11-20T04:59:59Z", "2026-11-19"],
    ["Asia/Kathmandu", "2026-11-20T18:15:00Z", "2026-11-21"],
    ["Pacific/Kiritimati", "2026-11-20T10:00:00Z", "2026-11-21"],
    ["Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29"],
    ["Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31"],
  ])("%s at %s is %s", (zone, instant, day) => {
    expect(dayAt(at(instant), zone)).toBe(day);
  });
});

describe("the end of a day", () => {
  test.each([
    ["UTC", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00.000Z"],
    ["UTC", "2026-11-20T23:59:59.999Z", "2026-11-21T00:00:00.000Z"],
    ["Europe/Berlin", "2026-11-20T12:00:00Z", "2026-11-20T23:00:00.000Z"],
    ["Asia/Kathmandu", "2026-11-20T12:00:00Z", "2026-11-20T18:15:00.000Z"],
    ["America/New_York", "2026-12-31T12:00:00Z", "2027-01-01T05:00:00.000Z"],
  ])("%s at %s is %s", (zone, instant, end) => {
    expect(iso(dayEndsAt(at(instant), zone))).toBe(end);
  });

  test.each([
    ["Europe/Berlin", "2026-03-28T23:00:00Z", 23], // the clocks go forward
    ["Europe/Berlin", "2026-10-24T22:00:00Z", 25], // and back
    ["America/New_York", "2026-03-08T05:00:00Z", 23],
    ["America/New_York", "2026-11-01T04:00:00Z", 25],
    ["America/Santiago", "2026-09-06T04:00:00Z", 23], // midnight does not exist: the day starts at 01:00
    ["Africa/Cairo", "2026-04-23T22:00:00Z", 23], // nor here
    ["Australia/Lord_Howe", "2026-04-04T13:00:00Z", 24.5], // half an hour
    ["UTC", "2026-03-29T00:00:00Z", 24],
  ])("a day of %s that starts at %s lasts %d hours", (zone, start, hours) => {
    expect(dayAt(at(start) - 1, zone)).not.toBe(dayAt(at(start), zone));
    expect((dayEndsAt(at(start), zone) - at(start)) / HOUR).toBe(hours);
  });

  test("holds at every half hour of a year: the day lasts until its end, and not a millisecond longer", () => {
    for (const zone of ["Europe/Berlin", "America/Santiago", "Australia/Lord_Howe"]) {
      for (let now = at("2026-01-01T00:00:00Z"); now < at("2027-01-01T00:00:00Z"); now += 29.5 * HOUR) {
        const end = dayEndsAt(now, zone);
        expect(dayAt(end - 1, zone)).toBe(dayAt(now, zone));
        expect(dayAt(end, zone) > dayAt(now, zone)).toBe(true);
      }
    }
  });
});

describe("the end of a month", () => {
  test.each([
    ["UTC", "2026-11-20T12:00:00Z", "2026-12-01T00:00:00.000Z"],
    ["UTC", "2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00.000Z"],
    ["UTC", "2028-02-29T12:00:00Z", "2028-03-01T00:00:00.000Z"],
    ["Europe/Berlin", "2026-10-01T00:00:00Z", "2026-10-31T23:00:00.000Z"],
    ["Europe/Berlin", "2026-03-01T00:00:00Z", "2026-03-31T22:00:00.000Z"],
    ["America/New_York", "2026-11-01T03:59:59Z", "2026-11-01T04:00:00.000Z"],
    ["America/New_York", "2026-11-01T04:00:00Z", "2026-12-01T05:00:00.000Z"],
  ])("%s at %s is %s", (zone, instant, end) => {
    expect(iso(monthEndsAt(at(instant), zone))).toBe(end);
  });

  test("a day names its month", () => {
    expect(monthOf("2026-11-20")).toBe("2026-11");
  });
});

test("what is remembered of a zone never answers for another instant, however the clock goes", () => {
  const zone = "Europe/Berlin";
  const instants = ["2026-11-20T12:00:00Z", "2026-11-20T22:59:59Z", "2026-11-20T23:00:00Z", "2026-11-19T12:00:00Z", "2026-12-01T00:00:00Z", "2026-10-01T00:00:00Z", "2026-11-20T12:00:00Z"];
  const ends = instants.map((instant) => [iso(dayEndsAt(at(instant), zone)), iso(monthEndsAt(at(instant), zone))]);
  expect(ends).toEqual([
    ["2026-11-20T23:00:00.000Z", "2026-11-30T23:00:00.000Z"],
    ["2026-11-20T23:00:00.000Z", "2026-11-30T23:00:00.000Z"],
    ["2026-11-21T23:00:00.000Z", "2026-11-30T23:00:00.000Z"],
    ["2026-11-19T23:00:00.000Z", "2026-11-30T23:00:00.000Z"],
    ["2026-12-01T23:00:00.000Z", "2026-12-31T23:00:00.000Z"],
    ["2026-10-01T22:00:00.000Z", "2026-10-31T23:00:00.000Z"],
    ["2026-11-20T23:00:00.000Z", "2026-11-30T23:00:00.000Z"],
  ]);
});
