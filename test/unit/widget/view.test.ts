import { describe, expect, it } from "vitest";
import { LeaseholdError } from "../../../client/errors.ts";
import { EMPTY, nextView, type Picture } from "../../../client/embed/view.ts";
import type { ReadResult } from "../../../client/sdk/read-image.ts";

const picture = (id: number): Picture => ({ id, blob: new Blob(), url: `blob:${id}` });
const result = { blocks: [{ text: "a" }, { text: "b" }] } as unknown as ReadResult;
const error = (code: "daily-quota-exceeded" | "aborted") => new LeaseholdError(code, ".");

describe("the view", () => {
  it("works on a picture that was given in any state", () => {
    const started = { kind: "started", picture: picture(2) } as const;
    const working = { kind: "working", picture: picture(2), progress: null };
    expect(nextView(EMPTY, started)).toEqual(working);
    expect(nextView({ kind: "failed", picture: picture(1), error: error("daily-quota-exceeded") }, started)).toEqual(working);
    expect(nextView({ kind: "working", picture: picture(1), progress: null }, started)).toEqual(working);
  });

  it("shows progress, then the result", () => {
    const working = nextView(EMPTY, { kind: "started", picture: picture(1) });
    const progress = { stage: "downloading", isKept: true, loadedBytes: 1, totalBytes: 2, cachedBytes: 0, bytesPerSecond: null } as const;
    const further = nextView(working, { kind: "progressed", picture: picture(1), progress });
    expect(further).toMatchObject({ kind: "working", progress });
    expect(nextView(further, { kind: "read", picture: picture(1), result })).toMatchObject({ kind: "result", result });
  });

  it("ignores what comes late from a picture that was replaced", () => {
    const working = nextView(EMPTY, { kind: "started", picture: picture(2) });
    expect(nextView(working, { kind: "read", picture: picture(1), result })).toBe(working);
    expect(nextView(working, { kind: "failed", picture: picture(1), error: error("aborted") })).toBe(working);
  });

  it("is empty again after a stop, and shows any other failure", () => {
    const working = nextView(EMPTY, { kind: "started", picture: picture(1) });
    expect(nextView(working, { kind: "failed", picture: picture(1), error: error("aborted") })).toEqual(EMPTY);
    expect(nextView(working, { kind: "failed", picture: picture(1), error: error("daily-quota-exceeded") })).toMatchObject({ kind: "failed", error: { code: "daily-quota-exceeded" } });
  });
});
