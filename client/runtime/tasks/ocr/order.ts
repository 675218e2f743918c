/**
 * Reading order. Pure.
 *
 * - The page's direction is that of all its text together, so a skewed or turned picture reads as a straight one.
 * - Boxes whose centres lie within half a line of each other make a line; lines go down, boxes along.
 *   Columns are not taken apart: on a receipt the price belongs to its item.
 */
import type { Point, Quad } from "./geometry.ts";

export interface Placed {
  /** Clockwise from the top left of the text. */
  readonly box: Quad;
}

interface Item<T> {
  readonly value: T;
  readonly along: number;
  readonly across: number;
  readonly height: number;
}

/** The blocks as lines, each line in order. */
export function orderLines<T extends Placed>(blocks: readonly T[]): T[][] {
  const { cos, sin } = pageDirection(blocks);
  const items = blocks.map((value): Item<T> => {
    const centre = centreOf(value.box);
    const [topLeft, , , bottomLeft] = value.box;
    return {
      value,
      along: centre.x * cos + centre.y * sin,
      across: centre.y * cos - centre.x * sin,
      height: Math.hypot(bottomLeft.x - topLeft.x, bottomLeft.y - topLeft.y),
    };
  });
  const lines: { items: Item<T>[]; across: number; height: number }[] = [];
  for (const item of items.sort((a, b) => a.across - b.across)) {
    const line = lines.at(-1);
    if (line && item.across - line.across < Math.min(item.height, line.height) / 2) {
      line.items.push(item);
      line.across = mean(line.items.map(({ across }) => across));
      line.height = mean(line.items.map(({ height }) => height));
    } else lines.push({ items: [item], across: item.across, height: item.height });
  }
  return lines.map(({ items }) => items.sort((a, b) => a.along - b.along).map(({ value }) => value));
}

/** Of all top edges together, the long ones counting most. */
function pageDirection(blocks: readonly Placed[]): { cos: number; sin: number } {
  let x = 0;
  let y = 0;
  for (const { box: [from, to] } of blocks) {
    x += to.x - from.x;
    y += to.y - from.y;
  }
  const length = Math.hypot(x, y);
  return length === 0 ? { cos: 1, sin: 0 } : { cos: x / length, sin: y / length };
}

const centreOf = ([a, b, c, d]: Quad): Point => ({ x: (a.x + b.x + c.x + d.x) / 4, y: (a.y + b.y + c.y + d.y) / 4 });

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
