/** What was measured, by name; each value is told as it comes. */
export class Samples {
  readonly #values = new Map<string, number[]>();

  add(name: string, value: number): void {
    this.#values.set(name, [...this.of(name), value]);
    console.error(`${name}: ${value.toFixed(1)}`);
  }

  of(name: string): readonly number[] {
    return this.#values.get(name) ?? [];
  }
}
