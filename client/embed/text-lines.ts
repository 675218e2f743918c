/** The lines of a page, from blocks in reading order: a line may have several, such as an item and its price. Pure. */
import type { OcrBlock } from "../runtime/host.ts";

export interface TextLine {
  /** Its blocks' texts, apart by a space. */
  readonly text: string;
  readonly blocks: readonly OcrBlock[];
  /** That of its least certain block. */
  readonly confidence: number;
}

export function linesOf(blocks: readonly OcrBlock[]): TextLine[] {
  const groups: OcrBlock[][] = [];
  for (const block of blocks) {
    const last = groups.at(-1);
    if (last?.[0]?.line === block.line) last.push(block);
    else groups.push([block]);
  }
  return groups.map((group) => ({
    text: group.map(({ text }) => text).join(" "),
    blocks: group,
    confidence: Math.min(...group.map(({ confidence }) => confidence)),
  }));
}

/** A line of the page a line of text. */
export const textOf = (blocks: readonly OcrBlock[]) =>
  linesOf(blocks)
    .map(({ text }) => text)
    .join("\n");
