/** HTML that can't be broken out of: every value put into `html` is escaped, unless it is HTML itself. */

export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Value = Html | string | number | readonly Html[] | false | null | undefined;

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escaped = (text: string) => text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character] as string);

function shown(value: Value): string {
  if (value === false || value === null || value === undefined) return "";
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map((part: Html) => part.text).join("");
  return escaped(String(value));
}

export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(parts.map((part, at) => part + (at < values.length ? shown(values[at]) : "")).join(""));
}

/** Text in which `code` stands between back-ticks. */
export function prose(text: string): Html {
  return new Html(text.split("`").map((part, at) => (at % 2 === 1 ? `<code>${escaped(part)}</code>` : escaped(part))).join(""));
}
