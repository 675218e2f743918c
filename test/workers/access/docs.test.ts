/** `/docs`: the whole API on one page that loads nothing and runs nothing. */
import { expect, test } from "vitest";
import { PROBLEM_CODES } from "../../../schema/contract/problems.ts";
import { ACCESS } from "../../../worker/http/access.ts";
import { api } from "../../support/api.ts";

test("every way in, every schema and every problem code is on it; every link on it leads somewhere", async () => {
  const [page, { json: document }] = [await api.get("/docs"), await api.get("/openapi.json")];
  expect([page.status, page.headers.get("content-type")?.split(";")[0]]).toEqual([200, "text/html"]);
  for (const way of Object.keys(ACCESS)) expect(page.text, way).toContain(`<code>${way.split(" ")[1]}</code>`);
  for (const name of Object.keys(document.components.schemas)) expect(page.text).toContain(`id="schema-${name}"`);
  for (const code of PROBLEM_CODES) expect(page.text).toContain(`<code>${code}</code>`);
  const ids = new Set([...page.text.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]));
  const links = [...page.text.matchAll(/href="([^"]+)"/g)].map((match) => match[1] as string);
  expect(links.filter((link) => link !== "/openapi.json" && !(link.startsWith("#") && ids.has(link.slice(1))))).toEqual([]);
  expect([...page.text.matchAll(/ id="([^"]+)"/g)]).toHaveLength(ids.size);
});

test("it loads nothing, runs nothing, and may be framed by nobody", async () => {
  const { text, headers } = await api.get("/docs");
  expect(text).not.toMatch(/<script|<link|<img|<iframe|\ssrc=|@import|url\(|\son\w+=/i);
  expect(headers.get("content-security-policy")).toBe("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
});

test("the document is OpenAPI 3.1 whose patterns are regular expressions and whose references lead somewhere", async () => {
  const { json } = await api.get("/openapi.json");
  expect(json.openapi).toMatch(/^3\.1\./);
  const walk = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    for (const [name, value] of Object.entries(node)) {
      if (name === "pattern" && typeof value === "string") expect(() => new RegExp(value, "u"), value).not.toThrow();
      if (name === "pattern" && typeof value === "string") expect(value).not.toMatch(/\/u$/);
      if (name === "$ref") expect(json.components.schemas, String(value)).toHaveProperty(String(value).replace("#/components/schemas/", ""));
      walk(value);
    }
  };
  walk(json);
});
