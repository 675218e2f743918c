/** What is done to rows of floats between the products. Lengths are multiples of 4; results may take an operand's place. */
import { f32, f32x4, func, get, i32, move, set, until, v128, type Code, type Func, type Local } from "./assembler.ts";
import { sigmoidOf } from "./exponential.ts";
import { bytes, constants, horizontal, madd, plus, splat, type Simd } from "./pieces.ts";

const VECTOR = i32.value(16);
const onwards = (...locals: readonly Local[]): Code[] => locals.map((local) => move(local, VECTOR));

/** `name(a, b, to, count)` */
export const pairwise = (name: string, combine: (a: Code, b: Code) => Code): Func =>
  func(name, ["i32", "i32", "i32", "i32"], null, ([a, b, to, count], local) => {
    const end = local("i32");
    return [set(end, plus(a, bytes(count, 2))), until(a, get(end), [v128.store(get(to), combine(v128.load(get(a)), v128.load(get(b)))), ...onwards(a, b, to)])];
  });

/** `sigmoid(x, to, count)` */
export const sigmoid = (simd: Simd): Func =>
  func("sigmoid", ["i32", "i32", "i32"], null, ([x, to, count], local) => {
    const [end, scaled, whole, fixed] = [local("i32"), local("v128"), local("v128"), constants(local)];
    const { steps, value } = sigmoidOf(simd, fixed, v128.load(get(x)), scaled, whole);
    return [...fixed.steps(), set(end, plus(x, bytes(count, 2))), until(x, get(end), [...steps, v128.store(get(to), value), ...onwards(x, to)])];
  });

/** √(2/π) · 2, and as much of x³: 1 + tanh(y) is twice the sigmoid of 2y. */
const LINEAR = 2 * Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715 * LINEAR;

/** `gelu(x, to, count)`: as tanh has it. */
export const gelu = (simd: Simd): Func =>
  func("gelu", ["i32", "i32", "i32"], null, ([x, to, count], local) => {
    const [end, own, scaled, whole, fixed] = [local("i32"), local("v128"), local("v128"), local("v128"), constants(local)];
    const inner = f32x4.mul(get(own), f32x4.add(fixed.float(LINEAR), f32x4.mul(fixed.float(CUBIC), f32x4.mul(get(own), get(own)))));
    const { steps, value } = sigmoidOf(simd, fixed, inner, scaled, whole);
    const body = [set(end, plus(x, bytes(count, 2))), until(x, get(end), [set(own, v128.load(get(x))), ...steps, v128.store(get(to), f32x4.mul(get(own), value)), ...onwards(x, to)])];
    return [...fixed.steps(), ...body];
  });

/** `scale(x, to, count, by)` */
export const scale: Func = func("scale", ["i32", "i32", "i32", "f32"], null, ([x, to, count, by], local) => {
  const end = local("i32");
  return [set(end, plus(x, bytes(count, 2))), until(x, get(end), [v128.store(get(to), f32x4.mul(v128.load(get(x)), f32x4.splat(get(by)))), ...onwards(x, to)])];
});

/** `siluMul(gate, up, to, count)`: gate · sigmoid(gate) · up */
export const siluMul = (simd: Simd): Func =>
  func("siluMul", ["i32", "i32", "i32", "i32"], null, ([gate, up, to, count], local) => {
    const [end, scaled, whole, fixed] = [local("i32"), local("v128"), local("v128"), constants(local)];
    const { steps, value } = sigmoidOf(simd, fixed, v128.load(get(gate)), scaled, whole);
    return [...fixed.steps(), set(end, plus(gate, bytes(count, 2))), until(gate, get(end), [...steps, v128.store(get(to), f32x4.mul(f32x4.mul(v128.load(get(gate)), value), v128.load(get(up)))), ...onwards(gate, up, to)])];
  });

/** `normalize(x, weights, to, rows, size, epsilon)`: by the root of the mean square. */
export const normalize = (simd: Simd): Func =>
  func("normalize", ["i32", "i32", "i32", "i32", "i32", "f32"], null, ([x, weights, to, rows, size, epsilon], local) => {
    const [at, weight, end, last, sum, scale] = [local("i32"), local("i32"), local("i32"), local("i32"), local("v128"), local("v128")];
    return [
      set(last, plus(x, i32.mul(get(rows), bytes(size, 2)))),
      until(x, get(last), [
        set(end, plus(x, bytes(size, 2))),
        set(at, get(x)),
        set(weight, get(weights)),
        set(sum, splat(0)),
        until(at, get(end), [set(sum, madd(simd)(v128.load(get(at)), v128.load(get(at)), get(sum))), ...onwards(at)]),
        set(scale, f32x4.splat(f32.div(f32.value(1), f32.sqrt(f32.add(f32.div(horizontal(sum), f32.ofInt(get(size))), get(epsilon)))))),
        until(x, get(end), [v128.store(get(to), f32x4.mul(f32x4.mul(v128.load(get(x)), get(scale)), v128.load(get(weight)))), ...onwards(x, weight, to)]),
      ]),
    ];
  });

/** `rotate(x, stride, cos, sin, to, toStride, rows, half)`: one head of each row, strides in bytes; angles go on with each row. */
export const rotate: Func = func("rotate", ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"], null, ([x, stride, cos, sin, to, toStride, rows, half], local) => {
  const [last, at, end, target, step, first, second] = [local("i32"), local("i32"), local("i32"), local("i32"), local("i32"), local("v128"), local("v128")];
  return [
    set(step, bytes(half, 2)),
    set(last, plus(cos, i32.mul(get(rows), get(step)))),
    until(cos, get(last), [
      set(at, get(x)),
      set(end, plus(x, get(step))),
      set(target, get(to)),
      until(at, get(end), [
        set(first, v128.load(get(at))),
        set(second, v128.load(plus(at, get(step)))),
        v128.store(get(target), f32x4.sub(f32x4.mul(get(first), v128.load(get(cos))), f32x4.mul(get(second), v128.load(get(sin))))),
        v128.store(plus(target, get(step)), f32x4.add(f32x4.mul(get(second), v128.load(get(cos))), f32x4.mul(get(first), v128.load(get(sin))))),
        ...onwards(at, target, cos, sin),
      ]),
      move(x, get(stride)),
      move(to, get(toStride)),
    ]),
  ];
});

/** `copy(x, to, count)` */
export const copy: Func = func("copy", ["i32", "i32", "i32"], null, ([x, to, count], local) => {
  const end = local("i32");
  return [set(end, plus(x, bytes(count, 2))), until(x, get(end), [v128.store(get(to), v128.load(get(x))), ...onwards(x, to)])];
});
