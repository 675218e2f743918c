/** A schema as a person reads it: its type in a word, its rules after it, its fields below. */
import type { Schema } from "./document.ts";
import { type Html, html, prose } from "./html.ts";

const nameOf = (ref: string): string => ref.slice(ref.lastIndexOf("/") + 1);
export const anchorOf = (name: string): string => `schema-${name}`;

/** `string or null`, `list of Key`, `Money`. */
export function typeHtml(schema: Schema): Html {
  if (schema.$ref !== undefined) return html`<a href="#${anchorOf(nameOf(schema.$ref))}">${nameOf(schema.$ref)}</a>`;
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`;
  if (schema.enum) return joined(schema.enum.map((value) => html`<code>${JSON.stringify(value)}</code>`), " or ");
  const options = schema.anyOf ?? schema.allOf;
  if (options) return joined(options.map(typeHtml), schema.anyOf ? " or " : " and ");
  if (schema.items) return html`list of ${typeHtml(schema.items)}`;
  if (typeof schema.additionalProperties === "object" && Object.keys(schema.additionalProperties).length > 0) return html`map of ${typeHtml(schema.additionalProperties)}`;
  const types = schema.type === undefined ? ["any"] : typeof schema.type === "string" ? [schema.type] : schema.type;
  return html`${types.join(" or ")}`;
}

/** What a value must keep to, and an example. */
export function rulesHtml(schema: Schema): Html {
  const rules: Html[] = [];
  const range = (least: number | undefined, most: number | undefined, what: string) => {
    const bounds = [least !== undefined && least > 0 && `at least ${least.toLocaleString("en-US")}`, most !== undefined && most < Number.MAX_SAFE_INTEGER && `at most ${most.toLocaleString("en-US")}`].filter((bound) => bound !== false);
    if (bounds.length > 0) rules.push(html`${bounds.join(", ")}${what}`);
  };
  if (schema.format !== undefined) rules.push(html`${schema.format}`);
  range(schema.minimum, schema.maximum, "");
  range(schema.minLength, schema.maxLength, " characters");
  range(schema.minItems, schema.maxItems, " items");
  if (schema.pattern !== undefined) rules.push(html`<code>${schema.pattern}</code>`);
  if (schema.default !== undefined) rules.push(html`default <code>${JSON.stringify(schema.default)}</code>`);
  if (schema.example !== undefined && typeof schema.example !== "object") rules.push(html`e.g. <code>${String(schema.example)}</code>`);
  return rules.length === 0 ? html`` : html` <span class="rules">${joined(rules, "; ")}</span>`;
}

/** The fields of an object, nested ones below theirs; empty where it has none. */
export function fieldsHtml(schema: Schema): Html {
  const inner = schema.items ?? schema;
  const fields = Object.entries(inner.properties ?? {});
  if (fields.length === 0) return html``;
  return html`<dl>${fields.map(([name, field]) => html`<dt><code>${name}</code> ${typeHtml(field)}${!inner.required?.includes(name) && html` <i>optional</i>`}${rulesHtml(field)}</dt><dd>${prose(field.description ?? "")}${field.$ref === undefined && fieldsHtml(field)}</dd>`)}</dl>`;
}

function joined(parts: readonly Html[], between: string): Html {
  return parts.reduce((all, part, at) => (at === 0 ? part : html`${all}${between}${part}`), html``);
}
