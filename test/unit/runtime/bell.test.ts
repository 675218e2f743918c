import { expect, test, vi } from "vitest";
import { Listening, newBell, ring, type Bell } from "../../../client/runtime/bell.ts";

const bellOf = (): Bell => new Int32Array(new SharedArrayBuffer(4));

test("a worker stops when something was sent that it has not received, and now and then", () => {
  const [bell, listening] = [bellOf(), new Listening()];
  listening.to(bell);
  listening.stopped(1000);
  expect(listening.isDue(1001)).toBe(false);
  ring(bell);
  expect(listening.isDue(1002)).toBe(true);
  listening.received(false);
  expect(listening.isDue(1003)).toBe(false);
  expect(listening.isDue(1060)).toBe(true);
});

test("an abort that came while something else was waited for is looked for at the next step", () => {
  const [bell, listening] = [bellOf(), new Listening()];
  listening.to(bell);
  listening.stopped(1000);
  ring(bell);
  listening.received(true);
  expect(listening.isDue(1001)).toBe(true);
  listening.stopped(1001);
  expect(listening.isDue(1002)).toBe(false);
});

test("counts meet beyond the largest number too", () => {
  const [bell, listening] = [bellOf(), new Listening()];
  listening.to(bell);
  listening.stopped(0);
  bell[0] = 2 ** 31 - 1;
  ring(bell);
  for (let message = 0; message < 3; message++) listening.received(false);
  expect(listening.isDue(1)).toBe(true);
});

test("without a bell it stops each time", () => {
  const listening = new Listening();
  listening.to(null);
  listening.stopped(0);
  expect(listening.isDue(0)).toBe(true);
});

test.each([["not isolated", false, true], ["isolated without shared memory, as WebKitGTK has it", true, false]])("there is no bell where the page is %s", (_, crossOriginIsolated, isShared) => {
  vi.stubGlobal("crossOriginIsolated", crossOriginIsolated);
  if (!isShared) vi.stubGlobal("SharedArrayBuffer", undefined);
  try {
    expect(newBell()).toBeNull();
  } finally {
    vi.unstubAllGlobals();
  }
});
