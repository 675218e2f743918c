/** With the locks of this process, which all of its "pages" share as those of one origin do. */
import { afterEach, expect, test, vi } from "vitest";
import { CallsUnderWay } from "../../../client/runtime/calls-under-way.ts";

const { locks } = navigator as unknown as { readonly locks: LockManager };
const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** What a load on this page has been told, in order. */
function heardBy(page: CallsUnderWay): boolean[] {
  const heard: boolean[] = [];
  ends.push(page.watch((areUnderWay) => heard.push(areUnderWay)));
  return heard;
}

test("a load hears at once of a call of its own page, and that the last of them is over", async () => {
  const page = new CallsUnderWay(locks);
  const heard = heardBy(page);
  const [first, second] = [page.begin(), page.begin()];
  expect(heard).toEqual([false, true]);
  first();
  first();
  second();
  await expect.poll(() => heard).toEqual([false, true, false]);
});

test("calls that follow each other are one to a load", async () => {
  const page = new CallsUnderWay(locks);
  const heard = heardBy(page);
  for (let call = 0; call < 5; call++) {
    const over = page.begin();
    await Promise.resolve();
    over();
  }
  expect(heard).toEqual([false, true]);
  await expect.poll(() => heard).toEqual([false, true, false]);
});

test("a load that begins during a call is told so first", () => {
  const page = new CallsUnderWay(locks);
  ends.push(page.begin());
  expect(heardBy(page)).toEqual([true]);
});

test("a load hears of the calls of another page, whenever they began, and of their end", async () => {
  const [one, other] = [new CallsUnderWay(locks), new CallsUnderWay(locks)];
  const over = other.begin();
  const heard = heardBy(one);
  await expect.poll(() => heard).toEqual([false, true]);
  over();
  await expect.poll(() => heard).toEqual([false, true, false]);
  ends.push(other.begin());
  await expect.poll(() => heard).toEqual([false, true, false, true]);
});

test("a page that is not told of locks knows of its own calls", () => {
  const page = new CallsUnderWay(undefined);
  const heard = heardBy(page);
  ends.push(page.begin());
  expect(heard).toEqual([false, true]);
});

test("a browser that refuses its locks costs nothing but what other pages do", async () => {
  const refused = () => Promise.reject(new DOMException("not here", "SecurityError"));
  const page = new CallsUnderWay({ request: refused, query: refused } as unknown as LockManager);
  const heard = heardBy(page);
  const over = page.begin();
  over();
  await expect.poll(() => heard).toEqual([false, true, false]);
});

test("a server that renders a page may load what imports it, and has no navigator", async () => {
  vi.stubGlobal("navigator", undefined);
  vi.resetModules();
  const loading = import("../../../client/sdk/index.ts");
  await expect(loading).resolves.toHaveProperty("Leasehold");
  vi.unstubAllGlobals();
});
