/**
 * Prometheus' text exposition format 0.0.4, written. Pure.
 *
 * - A family's lines stand together under its HELP and TYPE; names and labels are checked, values escaped.
 * - A summary gives its quantiles, `_sum` and `_count`; a quantile without a value is NaN, as the format wants it.
 */
export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

export interface SummarySample {
  readonly labels: Labels;
  readonly quantiles: Readonly<Record<string, number | null>>;
  readonly sum: number;
  readonly count: number;
}

export type Family =
  | { readonly type: "counter" | "gauge"; readonly name: string; readonly help: string; readonly samples: readonly Sample[] }
  | { readonly type: "summary"; readonly name: string; readonly help: string; readonly samples: readonly SummarySample[] };

export function exposition(families: readonly Family[]): string {
  return families.map(textOf).join("");
}

function textOf(family: Family): string {
  const { name, type, help } = family;
  if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) throw new Error(`${name} is no name of a metric`);
  const lines = [`# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`, `# TYPE ${name} ${type}`];
  if (family.type === "summary") {
    for (const { labels, quantiles, sum, count } of family.samples) {
      for (const [quantile, value] of Object.entries(quantiles)) lines.push(line(name, { ...labels, quantile }, value ?? Number.NaN));
      lines.push(line(`${name}_sum`, labels, sum), line(`${name}_count`, labels, count));
    }
  } else {
    for (const { labels, value } of family.samples) lines.push(line(name, labels, value));
  }
  return `${lines.join("\n")}\n`;
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label)) throw new Error(`${label} is no name of a label`);
    return `${label}="${text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"')}"`;
  });
  return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${number(value)}`;
}

const number = (value: number) => (Number.isNaN(value) ? "NaN" : value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value));
