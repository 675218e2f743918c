/**
 * A list as a stream of NDJSON: one page is read when the reader wants more, so that memory holds one page and a slow
 * reader slows the reading. A page that fails breaks the stream: the reader's connection ends without its last chunk.
 */
export interface Page<T> {
  readonly items: readonly T[];
  /** From where the next page goes on; null: this was the last. */
  readonly next: number | null;
}

export function ndjson<T>(read: (after: number) => Promise<Page<T>>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let after: number | null = 0;
  return new ReadableStream({
    async pull(controller) {
      // A page without items would leave the reader waiting: go on to one that has some, or to the end.
      while (after !== null) {
        const page: Page<T> = await read(after);
        after = page.next;
        if (page.items.length === 0) continue;
        controller.enqueue(encoder.encode(page.items.map((item) => `${JSON.stringify(item)}\n`).join("")));
        return;
      }
      controller.close();
    },
  });
}
