import { expect, test } from "vitest";
import { Listening, ring, type Bell } from "../../../client/runtime/bell.ts";

const bellOf = (): Bell => new Int32Array(new SharedArrayBuffer(4));

test("a worker stops when something was sent that it has not received, and now and then", () => {
  const [bell, listening] = [bellOf(), new Listening()];
  listening.to(bell);
  listening.stopped(1000);
  expect(listening.isDue(1001)).toBe(false);
  ring(bell);
  expect(listening.isDue(1002)).toBe(true);
  listening.received();
  expect(listening.isDue(1003)).toBe(false);
  expect(listening.isDue(1060)).toBe(true);
});

test("counts meet beyond the largest number too", () => {
  const [bell, listening] = [bellOf(), new Listening()];
  listening.to(bell);
  listening.stopped(0);
  bell[0] = 2 ** 31 - 1;
  ring(bell);
  for (let message = 0; message < 3; message++) listening.received();
  expect(listening.isDue(1)).toBe(true);
});

test("without a bell it stops each time", () => {
  const listening = new Listening();
  listening.to(null);
  listening.stopped(0);
  expect(listening.isDue(0)).toBe(true);
});
