/**
 * Rotated rectangles around text. Pure.
 *
 * - The y axis points down, angles are radians clockwise, as on a screen.
 * - A rectangle's `angle` lies in [−45°, 45°): `width` runs along the axis that is nearer to horizontal,
 *   so that a line of ordinary text is wide and a column of characters is tall.
 */
export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface RotatedRect {
  readonly cx: number;
  readonly cy: number;
  readonly width: number;
  readonly height: number;
  readonly angle: number;
}

export type Quad = [Point, Point, Point, Point];

/** Andrew's monotone chain. Points on an edge are left out; fewer than three points come back as they are. */
export function convexHull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a.x - b.x || a.y - b.y);
  if (sorted.length < 3) return sorted;
  return [...halfHull(sorted), ...halfHull(sorted.toReversed())];
}

/** One side of the hull, without its last point, which the other side begins with. */
function halfHull(sorted: readonly Point[]): Point[] {
  const chain: Point[] = [];
  for (const point of sorted) {
    while (bendsInwards(chain, point)) chain.pop();
    chain.push(point);
  }
  return chain.slice(0, -1);
}

function bendsInwards(chain: readonly Point[], next: Point): boolean {
  const a = chain.at(-2);
  const b = chain.at(-1);
  return a !== undefined && b !== undefined && (b.x - a.x) * (next.y - a.y) - (b.y - a.y) * (next.x - a.x) <= 0;
}

/** The smallest rectangle around a convex hull: one of its sides lies on an edge of the hull. */
export function minAreaRect(hull: readonly Point[]): RotatedRect {
  let best: RotatedRect | null = null;
  let from = hull.at(-1);
  for (const to of hull) {
    const rect = boundsAlong(hull, from ? Math.atan2(to.y - from.y, to.x - from.x) : 0);
    from = to;
    if (!best || rect.width * rect.height < best.width * best.height - 1e-9) best = rect;
  }
  if (!best) throw new RangeError("a rectangle needs at least one point");
  return best;
}

/** The bounds of `points` along an axis at `direction`, which is first brought into [−45°, 45°). */
function boundsAlong(points: readonly Point[], direction: number): RotatedRect {
  const quarter = Math.PI / 2;
  const angle = direction - quarter * Math.floor(direction / quarter + 0.5);
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  let left = Infinity;
  let right = -Infinity;
  let top = Infinity;
  let bottom = -Infinity;
  for (const { x, y } of points) {
    const along = x * cos + y * sin;
    const across = y * cos - x * sin;
    left = Math.min(left, along);
    right = Math.max(right, along);
    top = Math.min(top, across);
    bottom = Math.max(bottom, across);
  }
  const u = (left + right) / 2;
  const v = (top + bottom) / 2;
  return { cx: u * cos - v * sin, cy: u * sin + v * cos, width: right - left, height: bottom - top, angle };
}

/** The rectangle with each side moved outwards by `distance`. */
export const grow = (rect: RotatedRect, distance: number): RotatedRect => ({
  ...rect,
  width: rect.width + 2 * distance,
  height: rect.height + 2 * distance,
});

/**
 * How far DB's shrunken text region must grow to hold the text again: area × ratio / perimeter.
 * For a rectangle this equals what a polygon offset (Vatti clipping) and a new minimum rectangle give.
 */
export const unclipDistance = (rect: RotatedRect, ratio: number): number =>
  (rect.width * rect.height * ratio) / (2 * (rect.width + rect.height));

/** Corners clockwise from the top left, as the text is turned. */
export function corners(rect: RotatedRect): Quad {
  const cos = Math.cos(rect.angle);
  const sin = Math.sin(rect.angle);
  const at = (u: number, v: number): Point => ({
    x: rect.cx + u * rect.width * cos - v * rect.height * sin,
    y: rect.cy + u * rect.width * sin + v * rect.height * cos,
  });
  return [at(-0.5, -0.5), at(0.5, -0.5), at(0.5, 0.5), at(-0.5, 0.5)];
}

/** The rectangle in a picture that is `timesX` and `timesY` as large. The two differ by rounding only; right angles stay. */
export function scaleRect(rect: RotatedRect, timesX: number, timesY: number): RotatedRect {
  const cos = Math.cos(rect.angle);
  const sin = Math.sin(rect.angle);
  return {
    cx: rect.cx * timesX,
    cy: rect.cy * timesY,
    width: rect.width * Math.hypot(cos * timesX, sin * timesY),
    height: rect.height * Math.hypot(sin * timesX, cos * timesY),
    angle: rect.angle,
  };
}
