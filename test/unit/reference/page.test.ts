/** The reference page: all of the document is in it, and nothing of the document can become markup. */
import { expect, test } from "vitest";
import type { ApiDocument, Schema } from "../../../worker/reference/document.ts";
import { html, prose } from "../../../worker/reference/html.ts";
import { referencePage } from "../../../worker/reference/page.ts";
import { fieldsHtml, rulesHtml, typeHtml } from "../../../worker/reference/schema-html.ts";

const EVIL = `"><script>alert('1')</script>&lt;`;

test("text is escaped wherever it is put", () => {
  expect(html`<a title="${EVIL}">${EVIL}</a>`.text).toBe(`<a title="${"&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;lt;"}">&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;lt;</a>`);
  expect(html`${false}${null}${undefined}${[]}${0}`.text).toBe("0");
  expect(prose("use `a<b` here").text).toBe("use <code>a&lt;b</code> here");
});

test("a hostile document makes no markup", () => {
  const schema: Schema = { type: "object", description: EVIL, properties: { [EVIL]: { type: "string", description: EVIL, pattern: EVIL, example: EVIL, enum: [EVIL], default: EVIL } } };
  const operation = { tags: [EVIL], summary: EVIL, description: EVIL, "x-access": [EVIL], parameters: [{ name: EVIL, in: "query" as const, description: EVIL, schema }], responses: { 200: { description: EVIL, content: { [EVIL]: { schema } } } } };
  const document: ApiDocument = { info: { title: EVIL, version: EVIL, description: EVIL }, paths: { [`/${EVIL}`]: { get: operation } }, components: { schemas: { [EVIL]: schema } } };
  expect(referencePage(document)).not.toMatch(/<script|alert\('1'\)/);
});

test.each<[Schema, string]>([
  [{ type: ["string", "null"] }, "string or null"],
  [{ type: "array", items: { type: "integer" } }, "list of integer"],
  [{ type: "object", additionalProperties: { type: "string" } }, "map of string"],
  [{ $ref: "#/components/schemas/Money" }, '<a href="#schema-Money">Money</a>'],
  [{ enum: ["a", 1] }, "<code>&quot;a&quot;</code> or <code>1</code>"],
  [{ anyOf: [{ type: "string" }, { const: 5 }] }, "string or <code>5</code>"],
  [{}, "any"],
])("the type of %j", (schema, wanted) => {
  expect(typeHtml(schema).text).toBe(wanted);
});

test("rules and fields", () => {
  expect(rulesHtml({ minimum: 1, maximum: 1000, default: 50 }).text).toContain("at least 1, at most 1,000; default <code>50</code>");
  expect(rulesHtml({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }).text).toBe("");
  const fields = fieldsHtml({ type: "array", items: { properties: { a: { type: "string" }, b: { properties: { c: { type: "null" } } } }, required: ["a"] } }).text;
  expect(fields).toContain("<code>a</code> string</dt>");
  expect(fields).toContain("<code>b</code> any <i>optional</i>");
  expect(fields).toContain("<code>c</code> null");
});
