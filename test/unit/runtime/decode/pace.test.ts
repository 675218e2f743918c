import { expect, test } from "vitest";
import { learningPace } from "../../../../client/runtime/decode/kernel/pace.ts";

/** How many of `count` tokens went together, where both ways take so long. */
function together(pace: ReturnType<typeof learningPace>, count: number, ms: { readonly together: number; readonly alone: number }): number {
  let found = 0;
  for (let token = 0; token < count; token++) {
    const isTogether = pace.isTogether();
    if (isTogether) found++;
    pace.took(isTogether, isTogether ? ms.together : ms.alone);
  }
  return found;
}

test("the sooner way is gone, and the other one tried now and then", () => {
  const pace = learningPace();
  expect(together(pace, 200, { together: 10, alone: 18 })).toBeGreaterThan(190);
  expect(together(pace, 200, { together: 10, alone: 18 })).toBeLessThan(200);
  expect(together(learningPace(), 200, { together: 30, alone: 18 })).toBeLessThan(10);
});

test("it changes when the cores are taken, and back when they are free again", () => {
  const pace = learningPace();
  together(pace, 200, { together: 10, alone: 18 });
  expect(together(pace, 200, { together: 90, alone: 18 })).toBeLessThan(20);
  together(pace, 50, { together: 10, alone: 18 });
  expect(together(pace, 200, { together: 10, alone: 18 })).toBeGreaterThan(190);
});
