/** Samples by measure and contestant, and the tables made of them. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export class Samples {
  readonly #values = new Map<string, Map<string, number[]>>();

  add(measure: string, name: string, value: number): void {
    const own = this.#values.get(measure) ?? new Map<string, number[]>();
    this.#values.set(measure, own.set(name, [...(own.get(name) ?? []), value]));
  }

  summary(measure: string, name: string): Summary | null {
    const sorted = [...(this.#values.get(measure)?.get(name) ?? [])].sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)];
    return median === undefined ? null : { median, min: sorted[0] ?? median, max: sorted.at(-1) ?? median };
  }

  get measures(): readonly string[] {
    return [...this.#values.keys()];
  }

  names(measure: string): readonly string[] {
    return [...(this.#values.get(measure)?.keys() ?? [])];
  }

  asJson(): Record<string, Record<string, Summary | null>> {
    return Object.fromEntries(this.measures.map((measure) => [measure, Object.fromEntries(this.names(measure).map((name) => [name, this.summary(measure, name)]))]));
  }

  /** In Markdown: measures down, contestants across. */
  asTable(): string {
    const names = [...new Set(this.measures.flatMap((measure) => this.names(measure)))];
    const cell = (summary: Summary | null) => (summary ? `${short(summary.median)} (${short(summary.min)} – ${short(summary.max)})` : "");
    const rows = this.measures.map((measure) => [measure, ...names.map((name) => cell(this.summary(measure, name)))]);
    return table(["measure", ...names], rows);
  }
}

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

export const short = (value: number): string => (value >= 1000 ? Math.round(value).toLocaleString("en") : value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toPrecision(2));
