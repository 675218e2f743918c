import { describe, expect, it } from "vitest";
import { bytesWords, engineWords, linesWords, stageWords, WORDS, whenWords } from "../../../client/embed/wording.ts";
import { PROBLEMS, type ProblemCode } from "../../../schema/contract/problems.ts";

describe("a limit that refused", () => {
  const limits = (Object.keys(PROBLEMS) as ProblemCode[]).filter((code) => code.endsWith("-exceeded"));
  it.each(limits)("%s has the title that the API gives it", (code) => {
    expect(WORDS[code].title).toBe(PROBLEMS[code].title);
  });
});

describe("when a limit resets", () => {
  const words = (at: string, now: string, zone: string) => whenWords(new Date(at), new Date(now), "en-GB", zone);
  it.each([
    ["2026-11-23T00:00:00Z", "2026-11-22T21:00:00Z", "UTC", "tomorrow at 00:00 UTC"],
    ["2026-11-23T00:00:00Z", "2026-11-22T21:00:00Z", "America/New_York", "today at 19:00 GMT-5"],
    ["2026-11-23T00:00:00Z", "2026-11-22T21:00:00Z", "Asia/Tokyo", "today at 09:00 GMT+9"],
    ["2026-12-01T00:00:00Z", "2026-11-22T21:00:00Z", "Europe/Berlin", "on Tue 1 Dec at 01:00 CET"],
  ])("%s seen at %s in %s is %s", (at, now, zone, expected) => {
    expect(words(at, now, zone).replaceAll(",", "")).toBe(expected);
  });
});

it.each([
  [0, 15_600_000, "0.0 of 15.6 MB"],
  [6_249_000, 15_600_000, "6.2 of 15.6 MB"],
  [12_345, 900_000, "12 of 900 kB"],
])("%d of %d bytes is %s", (loaded, total, words) => {
  expect(bytesWords(loaded, total)).toBe(words);
});

it("names the engine, its threads, the lines and the stage", () => {
  expect(engineWords("webgpu", 1)).toBe("WebGPU");
  expect(engineWords("wasm", 2)).toBe("WASM, 2 threads");
  expect(engineWords("wasm", 1)).toBe("WASM, 1 thread");
  expect(linesWords(1)).toBe("1 line");
  expect(stageWords(null)).toBe("Looking at the picture");
  expect(stageWords({ stage: "preparing", step: "compile" })).toBe("Starting the engine");
});
