/**
 * Boxes from the output of a DB (differentiable binarization) text detector. Pure.
 *
 * - The network marks the *core* of each line of text; a box is the core's smallest rectangle, grown back.
 * - A box counts when the mean probability inside the core's rectangle reaches `BOX_SCORE`.
 * - Non-finite probabilities are no text: a comparison with NaN is false.
 */
import { findRegions, type Run } from "./components.ts";
import { convexHull, grow, minAreaRect, unclipDistance, type Point, type RotatedRect } from "./geometry.ts";

export interface TextBox {
  readonly rect: RotatedRect;
  readonly score: number;
}

// The values PP-OCRv4 was published with.
const PIXEL_THRESHOLD = 0.3;
const BOX_SCORE = 0.6;
const UNCLIP_RATIO = 1.5;
const MIN_CORE_SIDE = 3;
const MIN_BOX_SIDE = 5;
/** A picture of noise can give very many regions; the largest ones are read. */
const MAX_BOXES = 1000;

export function findTextBoxes(map: Float32Array, width: number, height: number): TextBox[] {
  const regions = findRegions(map, width, height, PIXEL_THRESHOLD)
    .sort((a, b) => b.length - a.length)
    .slice(0, MAX_BOXES);
  const boxes: TextBox[] = [];
  for (const region of regions) {
    const core = minAreaRect(convexHull(outline(region)));
    if (Math.min(core.width, core.height) < MIN_CORE_SIDE) continue;
    const score = meanInside(map, width, height, core);
    if (score < BOX_SCORE) continue;
    const rect = grow(core, unclipDistance(core, UNCLIP_RATIO));
    if (Math.min(rect.width, rect.height) < MIN_BOX_SIDE) continue;
    boxes.push({ rect, score });
  }
  return boxes;
}

/** The corners of the outermost pixels of each row: enough for the hull. */
function outline(region: readonly Run[]): Point[] {
  const rows = new Map<number, { from: number; to: number }>();
  for (const { y, from, to } of region) {
    const row = rows.get(y);
    if (!row) rows.set(y, { from, to });
    else {
      row.from = Math.min(row.from, from);
      row.to = Math.max(row.to, to);
    }
  }
  const points: Point[] = [];
  for (const [y, { from, to }] of rows) {
    points.push({ x: from, y }, { x: to, y }, { x: from, y: y + 1 }, { x: to, y: y + 1 });
  }
  return points;
}

/** Mean of the map over the pixels whose centre lies in the rectangle. */
export function meanInside(map: Float32Array, width: number, height: number, rect: RotatedRect): number {
  const cos = Math.cos(rect.angle);
  const sin = Math.sin(rect.angle);
  const reachX = (Math.abs(rect.width * cos) + Math.abs(rect.height * sin)) / 2;
  const reachY = (Math.abs(rect.width * sin) + Math.abs(rect.height * cos)) / 2;
  const bottom = Math.min(height - 1, Math.floor(rect.cy + reachY));
  const right = Math.min(width - 1, Math.floor(rect.cx + reachX));
  let sum = 0;
  let count = 0;
  for (let y = Math.max(0, Math.floor(rect.cy - reachY)); y <= bottom; y++) {
    for (let x = Math.max(0, Math.floor(rect.cx - reachX)); x <= right; x++) {
      const dx = x + 0.5 - rect.cx;
      const dy = y + 0.5 - rect.cy;
      if (Math.abs(dx * cos + dy * sin) > rect.width / 2 || Math.abs(dy * cos - dx * sin) > rect.height / 2) continue;
      sum += map[y * width + x] ?? 0;
      count++;
    }
  }
  return count === 0 ? 0 : sum / count;
}
