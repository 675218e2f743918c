/** Values that come when they come, for one reader who takes them in order. */
export class EventQueue<T> {
  readonly #values: T[] = [];
  #wake: (() => void) | null = null;
  #end: { readonly error: unknown } | null = null;

  push(value: T): void {
    this.#values.push(value);
    this.#wake?.();
  }

  /** After the values that are there, the reader gets the error, or the end. */
  end(error?: unknown): void {
    this.#end ??= { error };
    this.#wake?.();
  }

  async *read(): AsyncGenerator<T, void> {
    for (;;) {
      while (this.#values.length > 0) yield this.#values.shift() as T;
      if (this.#end) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
