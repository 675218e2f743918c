/**
 * A picture's size from its first bytes, without decoding it. Pure.
 *
 * - `"more"`: a JPEG whose size stands further on than the bytes given.
 * - `null`: a format that does not state its size plainly, or no picture; the browser's decoder has the last word.
 * - The size is as stored, before any turn by EXIF.
 */
import type { Size } from "./plan.ts";

type Reader = (view: DataView) => Size | "more" | null;

export function readImageHeader(bytes: Uint8Array): Size | "more" | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const format = FORMATS.find(({ magic }) => magic.every((byte, index) => byte === null || bytes[index] === byte));
  if (!format || view.byteLength < format.length) return null;
  return format.read(view);
}

const ascii = (text: string): number[] => [...text].map((character) => character.charCodeAt(0));

const FORMATS: readonly { magic: readonly (number | null)[]; length: number; read: Reader }[] = [
  { magic: [0x89, ...ascii("PNG\r\n\x1a\n")], length: 24, read: (view) => ({ width: view.getUint32(16), height: view.getUint32(20) }) },
  { magic: ascii("GIF8"), length: 10, read: (view) => ({ width: view.getUint16(6, true), height: view.getUint16(8, true) }) },
  { magic: [0xff, 0xd8, 0xff], length: 4, read: readJpeg },
  { magic: [...ascii("RIFF"), null, null, null, null, ...ascii("WEBP")], length: 30, read: readWebp },
  { magic: ascii("BM"), length: 26, read: readBmp },
];

/** Walks the segments to the first start-of-frame. */
function readJpeg(view: DataView): Size | "more" | null {
  let at = 2;
  while (at + 9 <= view.byteLength) {
    if (view.getUint8(at) !== 0xff) return null;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at++; // a fill byte
      continue;
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    const isBare = marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);
    at += isBare ? 2 : 2 + view.getUint16(at + 2);
  }
  return "more";
}

function readWebp(view: DataView): Size | null {
  switch (view.getUint32(12)) {
    case 0x56503858: // "VP8X": 24-bit sides, less one
      return { width: 1 + uint24(view, 24), height: 1 + uint24(view, 27) };
    case 0x5650384c: { // "VP8L": 14-bit sides, less one
      const bits = view.getUint32(21, true);
      return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
    }
    case 0x56503820: // "VP8 "
      return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
    default:
      return null;
  }
}

const uint24 = (view: DataView, at: number): number => view.getUint16(at, true) | (view.getUint8(at + 2) << 16);

/** A negative height means rows from the top; a header of 12 bytes (OS/2) has 16-bit sides. */
function readBmp(view: DataView): Size {
  if (view.getUint32(14, true) === 12) return { width: view.getUint16(18, true), height: view.getUint16(20, true) };
  return { width: Math.abs(view.getInt32(18, true)), height: Math.abs(view.getInt32(22, true)) };
}
