/** What reading a picture gives. */
import type { Quad } from "./geometry.ts";
import type { Size } from "./plan.ts";

export interface OcrBlock {
  readonly text: string;
  /** 0 to 1: the mean probability of its characters. */
  readonly confidence: number;
  /** In source pixels, clockwise from the top left of the text. */
  readonly box: Quad;
  /** Blocks with the same number stand on one line of the page. Blocks come in reading order. */
  readonly line: number;
}

export interface OcrReading extends Size {
  readonly blocks: OcrBlock[];
  /** The size that detection saw; usage counts its pixels. */
  readonly processed: Size;
  /** From the call to the first line read; absent where there is no text. */
  readonly ttftMs?: number;
}
