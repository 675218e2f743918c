/** OCR on the real model, in a real worker, on WebAssembly. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LeaseholdError } from "../../../client/errors.ts";
import { loadRuntime, type Runtime, type StoredFile } from "../../../client/runtime/host.ts";
import { imageSize } from "../../../client/runtime/tasks/ocr/decode-size.ts";
import { planOcr } from "../../../client/runtime/tasks/ocr/plan.ts";
import { blank, draw, ocrFiles, pngHeader, readingText, receipt, withOrientation, RECEIPT, RECEIPT_TEXT } from "./ocr-fixture.ts";

let files: StoredFile[];
let runtime: Runtime;

beforeAll(async () => {
  files = await ocrFiles();
  runtime = await loadRuntime({ task: "ocr", files, backend: "wasm" });
}, 60_000);
afterAll(() => runtime.close());

const textOf = async (image: Blob): Promise<string> => readingText((await runtime.readOcr(image)).blocks);
const codeOf = (work: Promise<unknown>) => work.then(() => "no error", (error: unknown) => (error instanceof LeaseholdError ? error.code : error));
const line = (paper: Partial<Parameters<typeof draw>[1]> = {}) => draw([{ text: "Orange juice 3.25", x: 40, y: 70 }], { width: 400, height: 120, font: "36px Receipt", ...paper });

describe("a printed receipt", () => {
  test("is read exactly, with boxes in its own pixels, in reading order", async () => {
    const result = await runtime.readOcr(await receipt());
    expect(readingText(result.blocks)).toBe(RECEIPT_TEXT);
    expect(result).toMatchObject({ width: 1000, height: 700, processed: planOcr(1000, 700) });
    expect(result.latencyMs).toBeGreaterThan(result.ttftMs ?? Infinity);
    expect(result.blocks.map(({ line }) => line)).toEqual(RECEIPT.flatMap((row, index) => row.map(() => index)));
    for (const { confidence } of result.blocks) expect(confidence).toBeGreaterThan(0.8);

    const total = result.blocks.find(({ text }) => text === "TOTAL");
    const [topLeft, topRight, , bottomLeft] = total?.box ?? [];
    expect(Math.abs((topLeft?.x ?? 0) - 60)).toBeLessThan(12);
    expect(topRight?.x).toBeGreaterThan(120);
    expect(topLeft?.y).toBeLessThan(530);
    expect(bottomLeft?.y).toBeGreaterThan(548);
  });

  test.each([
    ["as a JPEG", { type: "image/jpeg" }],
    ["as a WebP", { type: "image/webp" }],
    ["light on dark", { ink: "#eee", ground: "#234" }],
    ["transparent around the ink", { ground: null }],
    ["a little askew", { turn: 3 }],
  ])("%s", async (_, paper) => {
    expect(await textOf(await receipt(paper))).toBe(RECEIPT_TEXT);
  });

  test("larger than it is worked on", async () => {
    const image = await draw([{ text: "Cheese sandwich 7.95", x: 300, y: 1500 }], { width: 4000, height: 3000, font: "120px Receipt" });
    const { blocks, processed } = await runtime.readOcr(image);
    expect(readingText(blocks)).toBe("Cheese sandwich 7.95");
    expect(processed).toEqual(planOcr(4000, 3000));
    expect(blocks[0]?.box[0].x).toBeGreaterThan(240);
    expect(blocks[0]?.box[0].x).toBeLessThan(330);
  });

  test.each([90, 180, 270])("turned by %i° reads the same, with boxes that begin where the text does", async (turn) => {
    const { blocks } = await runtime.readOcr(await line({ width: 420, height: 420, turn }));
    expect(readingText(blocks)).toBe("Orange juice 3.25");
    const [begin, end] = blocks[0]?.box ?? [];
    const degrees = (Math.atan2((end?.y ?? 0) - (begin?.y ?? 0), (end?.x ?? 0) - (begin?.x ?? 0)) * 180) / Math.PI;
    expect(Math.abs(((degrees + 360) % 360) - turn)).toBeLessThan(3);
  });

  test("a single digit in a column is read upright", async () => {
    const image = await draw([{ text: "Quantity", x: 40, y: 60 }, { text: "7", x: 300, y: 60 }], { width: 400, height: 100, font: "40px Receipt" });
    expect(await textOf(image)).toBe("Quantity 7");
  });
});

describe("a photograph", () => {
  test("is turned as its EXIF says, and measured as seen", async () => {
    const stored = await line({ width: 420, height: 300, type: "image/jpeg" });
    expect(await imageSize(await withOrientation(stored, 6))).toEqual({ width: 300, height: 420 });
    const upsideDown = await line({ width: 420, height: 120, turn: 180, type: "image/jpeg" });
    const { blocks } = await runtime.readOcr(await withOrientation(upsideDown, 3));
    expect(readingText(blocks)).toBe("Orange juice 3.25");
    expect(blocks[0]?.box[0].x).toBeLessThan(60);
  });
});

describe("a picture without text", () => {
  test.each([
    ["blank", 300, 200],
    ["of one pixel", 1, 1],
    ["a thread across", 5000, 1],
    ["a thread down", 1, 5000],
  ])("%s gives no blocks and no error", async (_, width, height) => {
    const result = await runtime.readOcr(await blank(width, height));
    expect(result).toMatchObject({ blocks: [], width, height });
  });

  test("that is wholly transparent gives no blocks", async () => {
    expect((await runtime.readOcr(await blank(64, 64, null))).blocks).toEqual([]);
  });
});

describe("what is no fit picture", () => {
  test.each<[string, () => Blob, string]>([
    ["nothing", () => new Blob([]), "image-unreadable"],
    ["text", () => new Blob(["hello"], { type: "image/png" }), "image-unreadable"],
    ["a drawing", () => new Blob(['<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'], { type: "image/svg+xml" }), "image-unreadable"],
    ["a PNG that ends after its header", () => pngHeader(100, 100), "image-unreadable"],
    ["fifty megapixels, by the header alone", () => pngHeader(10_000, 5000), "image-too-large"],
  ])("%s is refused, in the page and in the worker, and the next call works", async (_, image, code) => {
    expect(await codeOf(imageSize(image()))).toBe(code);
    expect(await codeOf(runtime.readOcr(image()))).toBe(code);
    expect(await textOf(await line())).toBe("Orange juice 3.25");
  });
});

test("it has no tensors to be run by, being more than one graph", async () => {
  await expect(runtime.run("raw", { inputs: {} })).rejects.toMatchObject({ code: "model-invalid", message: expect.stringContaining('"raw"') });
});
