/**
 * Protobuf, put together from parts: small ones in memory, large ones by reference.
 *
 * - A message knows its length before its content is fetched, so that it can stand inside another.
 */
import type { Payload } from "./types.ts";

export class WireMessage {
  readonly #parts: Payload[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get parts(): readonly Payload[] {
    return this.#parts;
  }

  /** Fields that are encoded already. */
  encoded(bytes: Payload): this {
    if (bytes.length > 0) {
      this.#parts.push(bytes);
      this.#length += bytes.length;
    }
    return this;
  }

  int(field: number, value: number | bigint): this {
    return this.encoded(new Uint8Array([...varint(BigInt(field) << 3n), ...varint(BigInt(value))]));
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(5);
    bytes[0] = (field << 3) | 5;
    new DataView(bytes.buffer).setFloat32(1, value, true);
    return this.encoded(bytes);
  }

  bytes(field: number, payload: Payload): this {
    this.#header(field, payload.length);
    return this.encoded(payload);
  }

  string(field: number, text: string): this {
    return this.bytes(field, new TextEncoder().encode(text));
  }

  message(field: number, { parts, length }: WireMessage): this {
    this.#header(field, length);
    for (const part of parts) this.#parts.push(part);
    this.#length += length;
    return this;
  }

  packed(field: number, values: readonly (number | bigint)[]): this {
    return values.length === 0 ? this : this.bytes(field, new Uint8Array(values.flatMap((value) => varint(BigInt(value)))));
  }

  #header(field: number, length: number): void {
    this.encoded(new Uint8Array([...varint((BigInt(field) << 3n) | 2n), ...varint(BigInt(length))]));
  }
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, value);
  while (left > 127n) {
    bytes.push(Number(left & 127n) | 128);
    left >>= 7n;
  }
  bytes.push(Number(left));
  return bytes;
}
