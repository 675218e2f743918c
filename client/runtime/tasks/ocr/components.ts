/**
 * Connected regions of a probability map, as runs of pixels. Pure.
 *
 * A run is a stretch of one row above the threshold; runs of neighbouring rows that touch, corners included,
 * belong together. One pass over the map, then union-find over the runs, which are few.
 */
export interface Run {
  readonly y: number;
  /** First pixel. */
  readonly from: number;
  /** One past the last pixel. */
  readonly to: number;
}

/** Regions in order of their first run (top to bottom, left to right). NaN is above no threshold. */
export function findRegions(map: Float32Array, width: number, height: number, threshold: number): Run[][] {
  const groups = new Groups();
  const runs: Run[] = [];
  let rowAbove: Run[] = [];
  for (let y = 0; y < height; y++) {
    const row = runsOf(map, width, y, threshold);
    const firstOfRow = runs.length;
    const firstAbove = firstOfRow - rowAbove.length;
    runs.push(...row);
    let above = 0;
    row.forEach((run, index) => {
      groups.add();
      // Runs of a row are in order: what ended before this run began touches no later one either.
      while ((rowAbove[above]?.to ?? Infinity) < run.from) above++;
      for (let other = above; (rowAbove[other]?.from ?? Infinity) <= run.to; other++) {
        groups.join(firstOfRow + index, firstAbove + other);
      }
    });
    rowAbove = row;
  }
  const regions = new Map<number, Run[]>();
  runs.forEach((run, index) => {
    const root = groups.rootOf(index);
    const region = regions.get(root);
    if (region) region.push(run);
    else regions.set(root, [run]);
  });
  return [...regions.values()];
}

function runsOf(map: Float32Array, width: number, y: number, threshold: number): Run[] {
  const runs: Run[] = [];
  const isText = (x: number) => (map[y * width + x] ?? 0) > threshold;
  for (let x = 0; x < width; x++) {
    if (!isText(x)) continue;
    const from = x;
    while (x < width && isText(x)) x++;
    runs.push({ y, from, to: x });
  }
  return runs;
}

/** Union-find; a group's root is its smallest member. */
class Groups {
  readonly #parents: number[] = [];

  add(): void {
    this.#parents.push(this.#parents.length);
  }

  rootOf(index: number): number {
    let at = index;
    for (let parent = this.#parentOf(at); parent !== at; parent = this.#parentOf(at)) {
      this.#parents[at] = this.#parentOf(parent); // halves the path for the next search
      at = parent;
    }
    return at;
  }

  join(a: number, b: number): void {
    const [rootA, rootB] = [this.rootOf(a), this.rootOf(b)];
    this.#parents[Math.max(rootA, rootB)] = Math.min(rootA, rootB);
  }

  #parentOf(index: number): number {
    return this.#parents[index] ?? index;
  }
}
