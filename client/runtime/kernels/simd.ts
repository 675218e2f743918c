/**
 * Which SIMD this engine has, and whether the relaxed dot product pays.
 *
 * - Its second operand is meant to be 0 to 127. What comes out beyond shows the instruction that stands behind it:
 *   bytes taken as unsigned ones (x86 with VNNI), as signed ones (ARM, newer x86), or sums that were cut off at 16 bits
 *   (x86 without): there it is three instructions, and pairs of 16 bits are quicker.
 * - So the kernels may rely on the whole byte, on this device; `check-kernels.ts` holds them to it.
 */
import { assemble, func, i32, i32x4, relaxed, v128 } from "./assembler.ts";
import type { Simd } from "./pieces.ts";

const SPAN = 16;
const FOURS = 4;
const [LARGEST, BEYOND] = [127, 255];
const ANSWERS: ReadonlyMap<number, Simd> = new Map([[FOURS * LARGEST * BEYOND, "unsigned"], [FOURS * LARGEST * -1, "signed"]]);

const probe = func("probe", [], null, () => [
  v128.store(i32.value(0), relaxed.dotAdd(v128.load(i32.value(0)), v128.load(i32.value(SPAN)), i32x4.splat(i32.value(0)))),
  v128.store(i32.value(SPAN), relaxed.madd(v128.load(i32.value(0)), v128.load(i32.value(0)), v128.load(i32.value(0)))),
]);

export function availableSimd(): Simd {
  const code = assemble([probe], false);
  if (!WebAssembly.validate(code)) return "plain";
  const memory = new WebAssembly.Memory({ initial: 1 });
  new Uint8Array(memory.buffer).fill(LARGEST, 0, SPAN).fill(BEYOND, SPAN, 2 * SPAN);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { heap: { memory } });
  (exports as { probe(): void }).probe();
  return ANSWERS.get(new Int32Array(memory.buffer)[0] ?? 0) ?? "fused";
}
