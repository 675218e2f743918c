/**
 * The scores of a whole vocabulary, in a memory of their own that SIMD walks through.
 *
 * - Why: in JavaScript a sampled token is four or five walks over 50,000 numbers and as many powers of e, a millisecond
 *   of a token that takes five. Here it is a twentieth of that, whatever computed the logits.
 * - `load` copies; `numbers` may be changed after it, by the caller. What is no number makes `load` throw, and a largest
 *   that is infinite `likeliest`: a backend that gives such logits must not go on.
 * - There is one memory, as large as the most that was loaded: a browser has room for few, and clears them away late.
 * - Powers are taken without relaxed SIMD, so that they are the same on each device.
 */
import { assemble, choose, f32x4, func, get, i32, i32x4, move, set, until, v128, type Code } from "./assembler.ts";
import { exponential } from "./exponential.ts";
import { LEAST, likeliest } from "./likeliest.ts";
import { bytes, constants, horizontal, plus, splat } from "./pieces.ts";

const VECTOR = 16;
const LANES = [0, 1, 2, 3];
/** Scores are taken in steps of so many; −∞ stands behind the last. */
const STEP = 8;
const PAGE = 65536;

/** `hasOther(x, count)`: whether there is anything that is no number. */
const hasOther = func("hasOther", ["i32", "i32"], "i32", ([x, count], local) => {
  const [end, found] = [local("i32"), local("v128")];
  return [
    set(end, plus(x, bytes(count, 2))),
    set(found, splat(0)),
    until(x, get(end), [set(found, v128.or(get(found), f32x4.unequal(v128.load(get(x)), v128.load(get(x))))), move(x, i32.value(VECTOR))]),
    v128.hasAny(get(found)),
  ];
});

/** `weigh(x, to, count, most, by)`: e^((x − most) · by), 0 for −∞; and their sum. */
const weigh = func("weigh", ["i32", "i32", "i32", "f32", "f32"], "f32", ([x, to, count, most, by], local) => {
  const [end, sum, own, scaled, whole, largest, factor] = [local("i32"), local("v128"), local("v128"), local("v128"), local("v128"), local("v128"), local("v128")];
  const fixed = constants(local);
  const { steps, value } = exponential("plain", fixed, f32x4.mul(f32x4.sub(v128.load(get(x)), get(largest)), get(factor)), scaled, whole);
  const body = [
    set(end, plus(x, bytes(count, 2))),
    set(largest, f32x4.splat(get(most))),
    set(factor, f32x4.splat(get(by))),
    set(sum, splat(0)),
    until(x, get(end), [
      ...steps,
      set(own, v128.and(value, f32x4.atLeast(v128.load(get(x)), fixed.float(LEAST)))),
      v128.store(get(to), get(own)),
      set(sum, f32x4.add(get(sum), get(own))),
      move(x, i32.value(VECTOR)),
      move(to, i32.value(VECTOR)),
    ]),
    horizontal(sum),
  ];
  return [...fixed.steps(), ...body];
});

/** `above(x, to, count, floor)`: where those from `floor` up stand, in order; and how many they are. */
const above = func("above", ["i32", "i32", "i32", "f32"], "i32", ([x, to, count, floor], local) => {
  const [at, end, start, hits, floors] = [local("i32"), local("i32"), local("i32"), local("i32"), local("v128")];
  const index = (lane: number): Code => i32.add(i32.shiftRight(i32.sub(get(at), get(x)), i32.value(2)), i32.value(lane));
  return [
    set(at, get(x)),
    set(end, plus(x, bytes(count, 2))),
    set(start, get(to)),
    set(floors, f32x4.splat(get(floor))),
    until(at, get(end), [
      set(hits, i32x4.bits(f32x4.atLeast(v128.load(get(at)), get(floors)))),
      choose(get(hits), LANES.flatMap((lane) => [i32.store(get(to), index(lane)), move(to, i32.shl(i32.and(i32.shiftRight(get(hits), i32.value(lane)), i32.value(1)), i32.value(2)))]), []),
      move(at, i32.value(VECTOR)),
    ]),
    i32.shiftRight(i32.sub(get(to), get(start)), i32.value(2)),
  ];
});

interface Walks {
  readonly likeliest: (x: number, count: number) => number;
  readonly hasOther: (x: number, count: number) => number;
  readonly weigh: (x: number, to: number, count: number, most: number, by: number) => number;
  readonly above: (x: number, to: number, count: number, floor: number) => number;
}

interface Room {
  readonly memory: WebAssembly.Memory;
  readonly walks: Walks;
  /** For so many. */
  readonly most: number;
  /** Of what is loaded now: a multiple of `STEP`. */
  readonly count: number;
  readonly numbers: Float32Array;
}

export class Scores {
  #room: Room | null = null;

  load(logits: Float32Array): void {
    if (this.#room?.numbers.length !== logits.length) this.#room = roomFor(logits.length, this.#room);
    const { numbers, walks, count } = this.#room;
    numbers.set(logits);
    if (walks.hasOther(0, count) !== 0) throw new Error(NO_NUMBERS);
  }

  /** As many as were loaded. */
  get numbers(): Float32Array {
    return this.#loaded.numbers;
  }

  /** The first of the largest; throws where that is not finite. */
  likeliest(): number {
    const { walks, count, numbers } = this.#loaded;
    const found = walks.likeliest(0, count);
    if (!Number.isFinite(numbers[found])) throw new Error(NO_NUMBERS);
    return found;
  }

  /** e^((score − most) / temperature) of each, until the next call; and their sum, to a millionth or so. */
  weigh(most: number, temperature: number): { readonly weights: Float32Array; readonly total: number } {
    const { memory, walks, count, numbers } = this.#loaded;
    const total = walks.weigh(0, 4 * count, count, most, Math.min(1 / temperature, -LEAST)); // what is infinite times 0 is no number
    return { weights: new Float32Array(memory.buffer, 4 * count, numbers.length), total };
  }

  /** The tokens from `floor` up, −∞ never; until the next call. */
  above(floor: number): Uint32Array {
    const { memory, walks, count } = this.#loaded;
    const found = walks.above(0, 4 * count, count, Math.max(LEAST, floor));
    return new Uint32Array(memory.buffer, 4 * count, found);
  }

  logSumExp(): number {
    const most = this.numbers[this.likeliest()] ?? NaN;
    return most + Math.log(this.weigh(most, 1).total);
  }

  get #loaded(): Room {
    if (!this.#room) throw new Error("no scores are loaded");
    return this.#room;
  }
}

const NO_NUMBERS = "the model's logits are no numbers";

function roomFor(length: number, room: Room | null): Room {
  const count = Math.ceil(length / STEP) * STEP;
  const { memory, walks, most } = room && room.most >= count ? room : newRoom(count);
  new Float32Array(memory.buffer, 0, count).fill(-Infinity);
  return { memory, walks, most, count, numbers: new Float32Array(memory.buffer, 0, length) };
}

function newRoom(most: number): Pick<Room, "memory" | "walks" | "most"> {
  // The last of `above` may be followed by what it wrote and did not keep.
  const memory = new WebAssembly.Memory({ initial: Math.ceil((8 * most + VECTOR) / PAGE) });
  const module = new WebAssembly.Module(assemble([likeliest, hasOther, weigh, above], false));
  const { exports } = new WebAssembly.Instance(module, { heap: { memory } });
  return { memory, walks: exports as unknown as Walks, most };
}
