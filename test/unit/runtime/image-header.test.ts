import * as fc from "fast-check";
import { PNG } from "pngjs";
import { describe, expect, test } from "vitest";
import { readImageHeader } from "../../../client/runtime/tasks/ocr/image-header.ts";

const ascii = (text: string): number[] => [...text].map((character) => character.charCodeAt(0));
const padded = (bytes: readonly number[], length = 64): Uint8Array => Uint8Array.from({ length }, (_, index) => bytes[index] ?? 0);

const JFIF = [0xff, 0xe0, 0, 16, ...ascii("JFIF\0"), 1, 1, 0, 0, 1, 0, 1, 0, 0];
const frame = (marker: number): number[] => [0xff, marker, 0, 17, 8, 0x13, 0x88, 0x27, 0x10, 3];
const riff = (kind: string, ...payload: readonly number[]): number[] => [...ascii("RIFF"), 0, 0, 0, 0, ...ascii(`WEBP${kind}`), 0, 0, 0, 0, ...payload];
const TALL_BY_WIDE = { width: 10_000, height: 5000 };

describe("the size in a header", () => {
  test("of a PNG", () => {
    expect(readImageHeader(PNG.sync.write(new PNG({ width: 321, height: 45 })))).toEqual({ width: 321, height: 45 });
  });

  test.each<[string, number[], { width: number; height: number }]>([
    ["a JPEG", [0xff, 0xd8, ...JFIF, ...frame(0xc0)], TALL_BY_WIDE],
    ["a progressive JPEG with fill bytes", [0xff, 0xd8, 0xff, ...JFIF, 0xff, 0xff, ...frame(0xc2)], TALL_BY_WIDE],
    ["a JPEG with a Huffman table first", [0xff, 0xd8, 0xff, 0xc4, 0, 4, 0, 0, ...frame(0xc1)], TALL_BY_WIDE],
    ["a GIF", [...ascii("GIF89a"), 0x10, 0x27, 0x88, 0x13], TALL_BY_WIDE],
    ["a lossy WebP", riff("VP8 ", 0, 0, 0, 0x9d, 0x01, 0x2a, 0x10, 0x27, 0x88, 0x13), TALL_BY_WIDE],
    ["a lossless WebP", riff("VP8L", 0x2f, 0x0f, 0xe7, 0xe1, 0x04), TALL_BY_WIDE],
    ["an extended WebP", riff("VP8X", 0, 0, 0, 0, 0x0f, 0x27, 0, 0x87, 0x13, 0), TALL_BY_WIDE],
    ["a BMP", [...ascii("BM"), ...Array<number>(12).fill(0), 40, 0, 0, 0, 0x10, 0x27, 0, 0, 0x88, 0x13, 0, 0], TALL_BY_WIDE],
    ["a BMP from the top", [...ascii("BM"), ...Array<number>(12).fill(0), 40, 0, 0, 0, 0x10, 0x27, 0, 0, 0x78, 0xec, 0xff, 0xff], TALL_BY_WIDE],
    ["an OS/2 BMP", [...ascii("BM"), ...Array<number>(12).fill(0), 12, 0, 0, 0, 0x10, 0x27, 0x88, 0x13], TALL_BY_WIDE],
  ])("of %s", (_, bytes, size) => {
    expect(readImageHeader(padded(bytes))).toEqual(size);
  });

  test("of a JPEG may stand beyond the bytes at hand", () => {
    expect(readImageHeader(padded([0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff]))).toBe("more");
  });

  test.each([
    ["nothing", []],
    ["text", ascii("hello, this is no picture at all, is it?")],
    ["a PNG cut short", [0x89, ...ascii("PNG\r\n\x1a\n"), 0, 0, 0, 13]],
    ["a JPEG that goes wrong", [0xff, 0xd8, 0xff, 0xe0, 0, 4, ...Array<number>(20).fill(7)]],
  ])("of %s is unknown", (_, bytes) => {
    expect(readImageHeader(Uint8Array.from(bytes))).toBeNull();
  });

  test("no bytes make it throw or hang", () => {
    const magics = fc.constantFrom<number[]>([], [0xff, 0xd8, 0xff], ascii("GIF8"), ascii("BM"), riff("VP8 "), riff("VP8X"), [0x89, ...ascii("PNG\r\n\x1a\n")]);
    fc.assert(
      fc.property(magics, fc.uint8Array({ maxLength: 200 }), (magic, rest) => {
        readImageHeader(Uint8Array.of(...magic, ...rest));
      }),
      { numRuns: 2000 },
    );
  });
});
