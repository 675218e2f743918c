/**
 * Cuts what is bound as one JSON text into pieces that the platform takes: a bound value has at most 2 MB
 * (https://developers.cloudflare.com/durable-objects/platform/limits/), and a revision may have more chunks than that holds.
 * Pure. An entry is a digest and a size, of at most 90 bytes.
 */
const ENTRIES = 10_000;

/** In their order, all of them; nothing of nothing. */
export function* jsonPieces(sizes: Readonly<Record<string, number>>): Generator<string> {
  const entries = Object.entries(sizes);
  for (let at = 0; at < entries.length; at += ENTRIES) yield JSON.stringify(Object.fromEntries(entries.slice(at, at + ENTRIES)));
}
