import { describe, expect, it, vi } from "vitest";
import { RuntimeUses } from "../../../client/sdk/runtime-uses.ts";

const model = () => ({ runtime: { close: vi.fn<() => void>() } });
const soon = () => new Promise((resolve) => setTimeout(resolve));

describe("a model that was replaced", () => {
  it("ends when nobody uses it", async () => {
    const [uses, one] = [new RuntimeUses(), model()];
    void uses.retire(one);
    await soon();
    expect(one.runtime.close).toHaveBeenCalledOnce();
  });

  it("ends with the last call that has it, once", async () => {
    const [uses, one] = [new RuntimeUses(), model()];
    const calls = [uses.take(one), uses.take(one)];
    let hasEnded = false;
    const ended = uses.retire(one).then(() => {
      hasEnded = true;
    });
    await soon();
    expect(hasEnded).toBe(false);
    calls[0]?.();
    calls[0]?.();
    expect(one.runtime.close).not.toHaveBeenCalled();
    calls[1]?.();
    expect(one.runtime.close).toHaveBeenCalledOnce();
    await ended;
  });

  it("is still taken by whoever was given it in the moment of its replacement", async () => {
    const [uses, one] = [new RuntimeUses(), model()];
    void uses.retire(one);
    const done = uses.take(one);
    await soon();
    expect(one.runtime.close).not.toHaveBeenCalled();
    done();
    expect(one.runtime.close).toHaveBeenCalledOnce();
  });

  it("that was not replaced goes on after its calls", () => {
    const [uses, one] = [new RuntimeUses(), model()];
    uses.take(one)();
    expect(one.runtime.close).not.toHaveBeenCalled();
  });
});
