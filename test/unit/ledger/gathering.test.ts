import { expect, test } from "vitest";
import { Gathering } from "../../../worker/ledger/gathering.ts";

test("who joins before the turn comes is done in it, in the order of joining; who comes later waits for the next", async () => {
  const turns: (() => void)[] = [];
  const gathering = new Gathering(() => new Promise((come) => turns.push(come)));
  const done: string[] = [];
  const call = async (name: string) => {
    await gathering.join();
    done.push(name);
  };
  const first = ["a", "b", "c"].map(call);
  expect(turns).toHaveLength(1);
  turns[0]?.();
  await Promise.all(first);
  const second = call("d");
  expect([turns.length, done]).toEqual([2, ["a", "b", "c"]]);
  turns[1]?.();
  await second;
  expect(done).toEqual(["a", "b", "c", "d"]);
});

test("a turn that fails fails its own calls, and the next one comes all the same", async () => {
  let fails = true;
  const gathering = new Gathering(() => (fails ? Promise.reject(new Error("no turn")) : Promise.resolve()));
  const both = [gathering.join(), gathering.join()];
  await expect(Promise.allSettled(both).then((all) => all.map(({ status }) => status))).resolves.toEqual(["rejected", "rejected"]);
  fails = false;
  await expect(gathering.join()).resolves.toBeUndefined();
});
