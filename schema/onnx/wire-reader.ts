/**
 * Protobuf, read front to back from a source that is too large for memory.
 *
 * - `eachField` walks a message; the handler takes the field that stands before it, or leaves it by returning false.
 *   What is left lands, encoded, in the bytes that `eachField` gives back.
 * - `range` steps over a field's content without reading it.
 * - Bytes are hostile: every length is held to the message around it, and depth, fields and kept bytes to the limits.
 *   Whatever the bytes say, it ends, with an `OnnxError` where they make no sense.
 */
import { ByteWindow } from "./byte-window.ts";
import { concat } from "./concat.ts";
import { OnnxError } from "./error.ts";
import { COSTS, READ_LIMITS, type ReadLimits, type Spent } from "./limits.ts";
import { bytesSource, type ByteSource } from "./source.ts";
import type { ByteRange } from "./types.ts";

const LONGEST_VARINT = 10;

type Wire = 0 | 1 | 2 | 5;
const isWire = (wire: number): wire is Wire => wire === 0 || wire === 1 || wire === 2 || wire === 5;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const EMPTY = new Uint8Array(0);

export class WireReader {
  readonly #window: ByteWindow;
  readonly #limits: ReadLimits;
  #position = 0;
  #end: number;
  #wire: Wire = 0;
  #tagAt = 0;
  #depth = 0;
  #messages = 0;
  #kept = 0;
  readonly #spent: Spent;

  constructor(source: ByteSource, limits: ReadLimits = READ_LIMITS, spent: Spent = { fields: 0 }) {
    this.#window = new ByteWindow(source);
    this.#limits = limits;
    this.#spent = spent;
    this.#end = source.size;
  }

  /** Of bytes that this one gave, within the same limits. */
  inner(bytes: Uint8Array): WireReader {
    return new WireReader(bytesSource(bytes), this.#limits, this.#spent);
  }

  /** Where the field that the handler looks at begins, its tag included. */
  get tagAt(): number {
    return this.#tagAt;
  }

  get position(): number {
    return this.#position;
  }

  /** The handler gets the field's number; it reads the field and returns true, or returns false at once. */
  async eachField(take: (field: number) => Promise<boolean> | false): Promise<Uint8Array> {
    const left: Uint8Array[] = [];
    while (this.#position < this.#end) {
      this.#tagAt = this.#position;
      const rest = this.#spend();
      if (rest) await rest;
      const tag = this.#soon() ?? (await this.#number());
      const wire = tag % 8;
      const field = Math.floor(tag / 8);
      if (!isWire(wire) || field === 0 || field > 0x1fff_ffff) throw this.#malformed("a field that protobuf doesn't know");
      this.#wire = wire;
      const start = this.#tagAt;
      const taken = take(field);
      if (taken && (await taken)) continue;
      await this.skip();
      left.push(this.#copySoon(start, this.#position - start) ?? (await this.#copy(start, this.#position - start)));
    }
    return left.length === 0 ? EMPTY : concat(left);
  }

  /** Reads the field as a message of its own. */
  async message<T>(read: () => Promise<T>): Promise<T> {
    const length = this.#lengthSoon() ?? (await this.#length());
    const outer = this.#end;
    if (++this.#messages > this.#limits.messages) throw new OnnxError("too-many", `more than ${this.#limits.messages} messages`);
    this.#keep(COSTS.message);
    if (++this.#depth > this.#limits.depth) throw new OnnxError("too-deep", `messages nested more than ${this.#limits.depth} deep`);
    this.#end = this.#position + length;
    const value = await read();
    this.#end = outer;
    this.#depth--;
    return value;
  }

  async bytes(): Promise<Uint8Array> {
    const length = this.#lengthSoon() ?? (await this.#length());
    const bytes = this.#copySoon(this.#position, length) ?? (await this.#copy(this.#position, length));
    this.#position += length;
    return bytes;
  }

  async string(): Promise<string> {
    const length = this.#lengthSoon() ?? (await this.#length());
    this.#keep(COSTS.string + length);
    const bytes = this.#window.viewSoon(this.#position, length) ?? (await this.#window.read(this.#position, length));
    this.#position += length;
    try {
      return utf8.decode(bytes);
    } catch {
      throw this.#malformed("text that is not UTF-8");
    }
  }

  async range(): Promise<ByteRange> {
    const length = this.#lengthSoon() ?? (await this.#length());
    const offset = this.#position;
    this.#position += length;
    return { offset, length };
  }

  /** A number from 0 up that is exact. */
  async count(): Promise<number> {
    this.#expect(0);
    return this.#soon() ?? this.#number();
  }

  /** The same for an `int32` or an enumeration: of a larger one other readers keep the low bits, and see another number. */
  async small(): Promise<number> {
    const value = await this.count();
    if (value > 0x7fff_ffff) throw this.#malformed("a number too large for its field");
    return value;
  }

  async int64(): Promise<bigint> {
    this.#expect(0);
    return this.#varint();
  }

  async float(): Promise<number> {
    this.#expect(5);
    return this.#float();
  }

  /** A repeated number: packed, or one of many. */
  async floats(into: number[]): Promise<void> {
    await this.#repeated(async () => void into.push(await this.#float()), 5, COSTS.number);
  }

  async int64s(into: bigint[]): Promise<void> {
    await this.#repeated(async () => void into.push(await this.#varint()), 0, COSTS.int64);
  }

  async counts(into: number[]): Promise<void> {
    await this.#repeated(async () => void into.push(await this.#number()), 0, COSTS.number);
  }

  async #repeated(one: () => Promise<void>, wire: Wire, cost: number): Promise<void> {
    if (this.#wire !== 2) {
      this.#expect(wire);
      this.#keep(cost);
      return one();
    }
    const length = await this.#length();
    const end = this.#position + length;
    const outer = this.#end;
    this.#end = end;
    while (this.#position < end) {
      const rest = this.#spend();
      if (rest) await rest;
      this.#keep(cost);
      await one();
    }
    this.#end = outer;
  }

  /** Steps over the field, whatever it is. */
  async skip(): Promise<void> {
    switch (this.#wire) {
      case 0:
        await this.#varint();
        break;
      case 1:
      case 5: {
        const size = this.#wire === 1 ? 8 : 4;
        if (this.#position + size > this.#end) throw this.#truncated();
        this.#position += size;
        break;
      }
      case 2:
        await this.range();
    }
  }

  /** The field's length; the content lies within the message. */
  async #length(): Promise<number> {
    this.#expect(2);
    const length = await this.#number();
    if (this.#position + length > this.#end) throw this.#truncated();
    return length;
  }

  #lengthSoon(): number | undefined {
    if (this.#wire !== 2) return undefined;
    const start = this.#position;
    const length = this.#soon();
    if (length === undefined || this.#position + length <= this.#end) return length;
    this.#position = start; // the slow way says what is wrong
    return undefined;
  }

  #expect(wire: Wire): void {
    if (this.#wire !== wire) throw this.#malformed("a field of another type than ONNX gives it");
  }

  /** A number of up to 28 bits that stands in the window, without a turn of the event loop: almost all are. */
  #soon(): number | undefined {
    const { bytes: window, start: windowStart } = this.#window;
    let at = this.#position - windowStart;
    if (at < 0 || at + 4 > window.length || this.#position + 4 > this.#end) return undefined;
    for (let value = 0, scale = 1; scale <= 2 ** 21; scale *= 128) {
      const byte = window[at++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) {
        this.#position = windowStart + at;
        return value;
      }
    }
    return undefined;
  }

  async #number(): Promise<number> {
    const value = await this.#varint();
    if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.#malformed("a number out of range");
    return Number(value);
  }

  async #varint(): Promise<bigint> {
    await this.#window.fill(this.#position, LONGEST_VARINT);
    const { bytes: window, start: windowStart } = this.#window;
    let at = this.#position - windowStart;
    const limit = Math.min(window.length, this.#end - windowStart);
    let small = 0;
    let large = 0n;
    for (let index = 0; index < LONGEST_VARINT; index++) {
      if (at >= limit) throw this.#truncated();
      const byte = window[at++] ?? 0;
      if (index === LONGEST_VARINT - 1 && byte > 1) break; // more than 64 bits: each reader makes something else of it
      if (index < 4) small += (byte & 127) * 2 ** (7 * index);
      else large |= BigInt(byte & 127) << BigInt(7 * index);
      if (byte < 128) {
        this.#position = windowStart + at;
        return BigInt.asIntN(64, BigInt(small) | large);
      }
    }
    throw this.#malformed("a number of more than 64 bits");
  }

  async #float(): Promise<number> {
    if (this.#position + 4 > this.#end) throw this.#truncated();
    await this.#window.fill(this.#position, 4);
    const { bytes, start } = this.#window;
    const view = new DataView(bytes.buffer, bytes.byteOffset + this.#position - start, 4);
    this.#position += 4;
    return view.getFloat32(0, true);
  }

  #copySoon(offset: number, length: number): Uint8Array | undefined {
    const view = this.#window.viewSoon(offset, length);
    if (view) this.#keep(COSTS.bytes + length);
    return view?.slice();
  }

  async #copy(offset: number, length: number): Promise<Uint8Array> {
    this.#keep(COSTS.bytes + length);
    return (await this.#window.read(offset, length)).slice();
  }

  #keep(length: number): void {
    this.#kept += length;
    if (this.#kept > this.#limits.keptBytes) throw new OnnxError("too-large", `more than ${this.#limits.keptBytes} bytes of structure`);
  }

  #spend(): Promise<void> | undefined {
    if (++this.#spent.fields > this.#limits.fields) throw new OnnxError("too-many", `more than ${this.#limits.fields} fields`);
    return this.#spent.rest?.due();
  }

  #truncated(): OnnxError {
    return new OnnxError("truncated", `the bytes at ${this.#tagAt} point past the end`);
  }

  #malformed(what: string): OnnxError {
    return new OnnxError("malformed", `${what}, at ${this.#tagAt}`);
  }
}
