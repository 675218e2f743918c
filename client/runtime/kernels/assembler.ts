/**
 * WebAssembly, written down as expressions: enough of it for small SIMD kernels. Pure.
 *
 * - An expression is the code that leaves one value; a statement leaves none. Nothing is checked here: the engine
 *   checks a module when it is compiled, and the kernels' tests what it computes.
 * - A module has one imported memory, shared or not, and only functions, all of them exported.
 */
/** Bytes, and code within code. */
export type Code = readonly (number | Code)[];
export type ValueType = "i32" | "f32" | "v128";

export interface Local {
  readonly index: number;
  readonly type: ValueType;
}

const TYPE_CODE: Record<ValueType, number> = { i32: 0x7f, f32: 0x7d, v128: 0x7b };

export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; ) {
    const low = rest & 0x7f;
    rest >>>= 7;
    if (rest === 0) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

/** As a part of code. */
const index = (value: number): number | Code => (value < 0x80 ? value : unsigned(value));

function signed(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value | 0; ; ) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

const floatBytes = (value: number): number[] => [...new Uint8Array(Float32Array.of(value).buffer)];

const one = (opcode: number) => (a: Code): Code => [a, opcode];
const two = (opcode: number) => (a: Code, b: Code): Code => [a, b, opcode];
const vector = (opcode: number): Code => [0xfd, ...unsigned(opcode)];
const vectorOne = (opcode: number) => {
  const code = vector(opcode);
  return (a: Code): Code => [a, code];
};
const vectorTwo = (opcode: number) => {
  const code = vector(opcode);
  return (a: Code, b: Code): Code => [a, b, code];
};
const access = (prefix: Code) => (address: Code, offset = 0): Code => [address, prefix, 0, index(offset)];

export const get = (local: Local): Code => [0x20, index(local.index)];
export const set = (local: Local, value: Code): Code => [value, 0x21, index(local.index)];

export const i32 = {
  value: (value: number): Code => [0x41, signed(value)],
  add: two(0x6a), sub: two(0x6b), mul: two(0x6c), divUnsigned: two(0x6e), shl: two(0x74), shiftRight: two(0x76), and: two(0x71), or: two(0x72), lessUnsigned: two(0x49),
  load8: access([0x2d]),
  store: (address: Code, value: Code, offset = 0): Code => [address, value, 0x36, 0, index(offset)],
  store8: (address: Code, value: Code, offset = 0): Code => [address, value, 0x3a, 0, index(offset)],
};

export const f32 = {
  value: (value: number): Code => [0x43, floatBytes(value)],
  add: two(0x92), sub: two(0x93), mul: two(0x94), div: two(0x95), max: two(0x97), sqrt: one(0x91), ofInt: one(0xb2),
  load: access([0x2a]),
  store: (address: Code, value: Code, offset = 0): Code => [address, value, 0x38, 0, index(offset)],
};

export const v128 = {
  load: access(vector(0x00)), load8Splat: access(vector(0x07)), load32Splat: access(vector(0x09)), load32: access(vector(0x5c)),
  /** Eight bytes as i16x8. */
  load8Unsigned: access(vector(0x02)),
  /** Eight bytes as i32x4. */
  load16Signed: access(vector(0x03)),
  store: (address: Code, value: Code, offset = 0): Code => [address, value, vector(0x0b), 0, index(offset)],
  and: vectorTwo(0x4e), hasAny: vectorOne(0x53), or: vectorTwo(0x50), xor: vectorTwo(0x51),
  ofInts: (...four: readonly [number, number, number, number]): Code => [vector(0x0c), [...new Uint8Array(Int32Array.from(four).buffer)]],
  /** `lanes`: of the bytes of both, 0 to 31. */
  shuffle: (a: Code, b: Code, lanes: readonly number[]): Code => [a, b, vector(0x0d), lanes],
};

export const i8x16 = { splat: vectorOne(0x0f), shiftRight: vectorTwo(0x6d), narrow: vectorTwo(0x65) };
export const i16x8 = { splat: vectorOne(0x10), add: vectorTwo(0x8e), shiftRight: vectorTwo(0x8d), ofLowUnsigned: vectorOne(0x89), narrow: vectorTwo(0x85) };
export const i32x4 = {
  splat: vectorOne(0x11), ofLowUnsigned: vectorOne(0xa9), ofHighUnsigned: vectorOne(0xaa), add: vectorTwo(0xae), sub: vectorTwo(0xb1), shl: vectorTwo(0xab), minUnsigned: vectorTwo(0xb7), dot: vectorTwo(0xba),
  /** One bit of each, its highest. */
  bits: vectorOne(0xa4),
  lane: (a: Code, lane: number): Code => [a, vector(0x1b), lane],
};
/** `min` and `max` are the plain comparisons: where one is no number, the first. */
export const f32x4 = {
  splat: vectorOne(0x13), unequal: vectorTwo(0x42), atLeast: vectorTwo(0x46), abs: vectorOne(0xe0), neg: vectorOne(0xe1),
  add: vectorTwo(0xe4), sub: vectorTwo(0xe5), mul: vectorTwo(0xe6), div: vectorTwo(0xe7), min: vectorTwo(0xea), max: vectorTwo(0xeb), ofInts: vectorOne(0xfa),
  lane: (a: Code, lane: number): Code => [a, vector(0x1f), lane],
};

/** What relaxed SIMD adds; the result of each is one of few that an engine may choose from. */
export const relaxed = {
  /** Of signed bytes and others from 0 to 127, in fours, added to `sum`. */
  dotAdd: (a: Code, b: Code, sum: Code): Code => [a, b, sum, vector(0x113)],
  /** a · b + c, rounded once or twice. */
  madd: (a: Code, b: Code, c: Code): Code => [a, b, c, vector(0x105)],
};

export const choose = (condition: Code, yes: readonly Code[], no: readonly Code[]): Code => [condition, 0x04, 0x40, yes, 0x05, no, 0x0b];
/** The body at least once, until `at` has come to `end`; the body moves `at` on. */
export const until = (at: Local, end: Code, body: readonly Code[]): Code => [0x03, 0x40, body, i32.lessUnsigned(get(at), end), 0x0d, 0x00, 0x0b];
export const move = (local: Local, by: Code): Code => set(local, i32.add(get(local), by));

function flattened(code: Code, onto: number[]): number[] {
  for (const each of code) {
    if (typeof each === "number") onto.push(each);
    else flattened(each, onto);
  }
  return onto;
}

export interface Func {
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly result: ValueType | null;
  readonly locals: readonly ValueType[];
  readonly body: readonly number[];
}

/** `build` gets the parameters, and `local` for more. What it gives last is the result, where there is one. */
export function func<const Params extends readonly ValueType[]>(name: string, params: Params, result: ValueType | null, build: (params: { [At in keyof Params]: Local }, local: (type: ValueType) => Local) => readonly Code[]): Func {
  const locals: ValueType[] = [];
  const local = (type: ValueType): Local => ({ index: params.length + locals.push(type) - 1, type });
  const body = build(params.map((type, index) => ({ index, type })) as { [At in keyof Params]: Local }, local);
  return { name, params, result, locals, body: flattened(body, []) };
}

const lengthOf = (code: Code): number => code.reduce<number>((length, each) => length + (typeof each === "number" ? 1 : lengthOf(each)), 0);
const list = (items: readonly Code[]): Code => [unsigned(items.length), items];
const sized = (content: Code): Code => [unsigned(lengthOf(content)), content];
const section = (id: number, content: Code): Code => [id, sized(content)];
const text = (value: string): Code => sized([...value].map((character) => character.charCodeAt(0)));

const PAGES = 65536;

/** The memory is the import "memory" of "heap". */
export function assemble(functions: readonly Func[], isShared: boolean): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ params, result }) => [0x60, list(params.map((type) => [TYPE_CODE[type]])), list(result ? [[TYPE_CODE[result]]] : [])]);
  const bodies = functions.map(({ locals, body }) => sized([list(locals.map((type) => [1, TYPE_CODE[type]])), body, 0x0b]));
  const module = [
    [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    section(1, list(types)),
    section(2, list([[text("heap"), text("memory"), 0x02, isShared ? [0x03, 0, unsigned(PAGES)] : [0x00, 0]]])),
    section(3, list(functions.map((_, at) => unsigned(at)))),
    section(7, list(functions.map(({ name }, at) => [text(name), 0x00, unsigned(at)]))),
    section(10, list(bodies)),
  ];
  return new Uint8Array(flattened(module, []));
}
