import { describe, expect, it } from "vitest";
import { SharedTask } from "../../../client/sdk/shared-task.ts";

/** A task that ends when it is told to, and notes whether it was stopped. */
function made() {
  const end = Promise.withResolvers<string>();
  let say: (progress: number) => void = () => undefined;
  const task = new SharedTask<string, number>((signal, onProgress) => {
    say = onProgress;
    signal.addEventListener("abort", () => end.reject(new Error("stopped")));
    return end.promise;
  });
  return { task, end, say: (progress: number) => say(progress) };
}

const outcome = (work: Promise<unknown>) => work.catch((error: { code?: string; message: string }) => error.code ?? error.message);

describe("a shared task", () => {
  it("gives each caller its result", async () => {
    const { task, end } = made();
    const callers = [task.join({}), task.join({})];
    end.resolve("done");
    expect(await Promise.all(callers)).toEqual(["done", "done"]);
    expect(await task.join({})).toBe("done");
  });

  it("goes on for the others when one leaves", async () => {
    const { task, end } = made();
    const leaving = new AbortController();
    const [one, two] = [task.join({ signal: leaving.signal }), task.join({})];
    leaving.abort();
    expect(await outcome(one)).toBe("aborted");
    expect(task.isStopped).toBe(false);
    end.resolve("done");
    expect(await two).toBe("done");
  });

  it("is stopped when the last has left", async () => {
    const { task } = made();
    const leaving = new AbortController();
    const call = task.join({ signal: leaving.signal });
    leaving.abort();
    expect(await outcome(call)).toBe("aborted");
    expect(task.isStopped).toBe(true);
    expect(await outcome(task.result)).toBe("stopped");
  });

  it("tells all how far it is, and a late caller where it stands", () => {
    const { task, say } = made();
    const [early, late]: [number[], number[]] = [[], []];
    void outcome(task.join({ onProgress: (n) => early.push(n) }));
    say(1);
    void outcome(task.join({ onProgress: (n) => late.push(n) }));
    say(2);
    expect(early).toEqual([1, 2]);
    expect(late).toEqual([1, 2]);
  });

  it("stays done when a caller's signal fires afterwards", async () => {
    const { task, end } = made();
    const leaving = new AbortController();
    const call = task.join({ signal: leaving.signal });
    end.resolve("done");
    await call;
    leaving.abort();
    expect(task.isStopped).toBe(false);
  });
});
