import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LeaseholdError } from "../../../client/errors.ts";
import { ModelUpdates, type ModelUpdate, type UpdateFailure } from "../../../client/sdk/model-updates.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const DONE: ModelUpdate = { model: "m", revision: "rev_2", fetchedBytes: 1, cachedBytes: 9 };

function made() {
  const told: (ModelUpdate | UpdateFailure)[] = [];
  return { told, updates: new ModelUpdates({ onUpdate: (one) => told.push(one), onUpdateFailed: (one) => told.push(one) }) };
}
const settle = () => vi.advanceTimersByTimeAsync(0);

describe("an update", () => {
  it("is one at a time of a model, and told of", async () => {
    const { told, updates } = made();
    const work = vi.fn<() => Promise<ModelUpdate | null>>(async () => DONE);
    updates.begin("m", work);
    updates.begin("m", work);
    updates.begin("other", async () => null);
    await settle();
    expect([told, work.mock.calls.length]).toEqual([[DONE], 1]);
    updates.begin("m", work);
    await settle();
    expect(work).toHaveBeenCalledTimes(2);
  });

  it("that fails is told of, and tried again no sooner than after ten minutes", async () => {
    const { told, updates } = made();
    const work = vi.fn<() => Promise<ModelUpdate | null>>(async () => {
      throw new LeaseholdError("network-failed", "no");
    });
    updates.begin("m", work);
    await settle();
    expect(told).toMatchObject([{ model: "m", error: { code: "network-failed" } }]);
    await vi.advanceTimersByTimeAsync(10 * 60_000 - 1);
    updates.begin("m", work);
    expect(work).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    updates.begin("m", work);
    expect(work).toHaveBeenCalledTimes(2);
  });

  it("that is stopped is nobody's failure, and may begin again at once", async () => {
    const { told, updates } = made();
    const until = (signal: AbortSignal) => new Promise<null>((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));
    updates.begin("m", until);
    updates.stop("m");
    updates.begin("m", async () => DONE);
    await settle();
    expect(told).toEqual([DONE]);
  });
});
