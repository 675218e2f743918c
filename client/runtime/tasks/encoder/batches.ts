/**
 * Which texts run together. Pure.
 *
 * - By length, so that little is padded: a padded token costs as much as a real one, and shifts the scales of dynamic
 *   int8 models.
 * - At most `MOST` texts a batch, and at most `SLACK` of its longest wasted.
 */
const MOST = 8;
const SLACK = 0.125;

/** Batches of indices into `lengths`, each of texts of about one length. */
export function batchesByLength(lengths: readonly number[]): number[][] {
  const order = [...lengths.keys()].sort((a, b) => (lengths[b] as number) - (lengths[a] as number) || a - b);
  const batches: number[][] = [];
  for (const index of order) {
    const batch = batches.at(-1);
    const longest = batch ? (lengths[batch[0] as number] as number) : 0;
    if (batch && batch.length < MOST && (lengths[index] as number) >= longest * (1 - SLACK)) batch.push(index);
    else batches.push([index]);
  }
  return batches;
}
