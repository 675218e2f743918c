/**
 * A strict reader of Prometheus' text format 0.0.4: throws at whatever a scraper might stumble over.
 *
 * - Each family once, its lines together, HELP before TYPE before samples, nothing without a TYPE.
 * - Each series once; a counter and a summary's sum and count are not negative.
 */
export interface Exposed {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;

export function parseExposition(text: string): { types: Map<string, string>; samples: Exposed[] } {
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line has no end");
  const types = new Map<string, string>();
  const seen = new Set<string>();
  const samples: Exposed[] = [];
  let help: string | null = null;
  let family: string | null = null;
  for (const line of text.split("\n").slice(0, -1)) {
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment) {
      const [, kind, name, rest] = comment as unknown as [string, string, string, string];
      if (kind === "HELP") {
        if (types.has(name)) throw new Error(`${name} stands twice`);
        help = name;
      } else {
        if (help !== name) throw new Error(`${name}: TYPE without HELP before it`);
        if (!["counter", "gauge", "summary"].includes(rest)) throw new Error(`${name}: unknown type ${rest}`);
        types.set(name, rest);
        family = name;
      }
      continue;
    }
    const match = SAMPLE.exec(line);
    if (!match) throw new Error(`can't be read: ${line}`);
    const [, name = "", labelText = "", valueText = ""] = match;
    const type = types.get(family ?? "");
    const own = type === "summary" ? [family, `${family}_sum`, `${family}_count`] : [family];
    if (!own.includes(name)) throw new Error(`${name} stands among the lines of ${family}`);
    const labels = labelsOf(labelText);
    const value = valueText === "NaN" ? Number.NaN : Number(valueText);
    if (Number.isNaN(value) && valueText !== "NaN") throw new Error(`no number: ${line}`);
    if (value < 0 && (type === "counter" || name.endsWith("_sum") || name.endsWith("_count"))) throw new Error(`negative: ${line}`);
    const series = JSON.stringify([name, Object.entries(labels).sort()]);
    if (seen.has(series)) throw new Error(`stands twice: ${line}`);
    seen.add(series);
    samples.push({ name, labels, value });
  }
  return { types, samples };
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const match = LABEL.exec(text);
    if (!match) throw new Error(`labels can't be read: ${text}`);
    const [, name = "", value = ""] = match;
    if (name in labels) throw new Error(`the label ${name} stands twice: ${text}`);
    labels[name] = value.replaceAll(/\\(["\\n])/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
  }
  return labels;
}
