/**
 * The API's reference as one page, made from the API's own document: nothing is loaded, nothing runs, nothing can go
 * stale. Pure.
 */
import { PROBLEMS, type ProblemShape } from "../../schema/contract/problems.ts";
import type { ApiDocument, Content, Operation } from "./document.ts";
import { type Html, html, prose } from "./html.ts";
import { anchorOf, fieldsHtml, rulesHtml, typeHtml } from "./schema-html.ts";
import { STYLE } from "./style.ts";

interface Entry {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

const WHO: Readonly<Record<string, string>> = { anyone: "no credential", operator: "operator", admin: "sk admin", leases: "sk leases", read: "sk read", publishable: "pk", lease: "lease", "late-lease": "offline lease past its end" };

export function referencePage(document: ApiDocument): string {
  const entries = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Entry => ({ id: `${method}${path.replaceAll(/[^a-z0-9]+/gi, "-")}`, method: method.toUpperCase(), path, operation })),
  );
  const tags = [...new Set(entries.map(({ operation }) => operation.tags?.[0] ?? "Other"))].sort();
  const under = (tag: string) => entries.filter(({ operation }) => (operation.tags?.[0] ?? "Other") === tag);
  const { title, version, description } = document.info;
  const page = html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title} API</title><style>${STYLE}</style></head>
<body>
<nav><a href="#top"><b>${title}</b> ${version}</a>
${tags.map((tag) => html`<h2>${tag}</h2>${under(tag).map(({ id, method, path }) => html`<a href="#${id}"><span class="${method.toLowerCase()}">${method}</span> ${path.replace("/v1/tenants/{t}", "…")}</a>`)}`)}
<h2>More</h2><a href="#problems">Problem codes</a><a href="#schemas">Schemas</a><a href="/openapi.json">openapi.json</a></nav>
<main id="top">
<h1>${title} API</h1>
<p>${prose(description ?? "")}</p>
<p>All JSON is snake_case. Credentials travel as <code>Authorization: Bearer &lt;key or lease&gt;</code>; from a page of this origin, a session of the console stands for the key that it was obtained with. Times are RFC 3339 in UTC, money is in nano-dollars, lists are paged by <code>limit</code> and <code>cursor</code>. Every error is a problem document (RFC 9457) whose <code>code</code> is one of <a href="#problems">these</a>. A POST that creates takes an <code>Idempotency-Key</code>: the same key and body give the same answer. In the menu <code>…</code> stands for <code>/v1/tenants/{t}</code>.</p>
${tags.map((tag) => html`<h2>${tag}</h2>${under(tag).map(operationHtml)}`)}
<h2 id="problems">Problem codes</h2>
<table><tr><th>code</th><th>status</th><th>title</th></tr>${Object.entries(PROBLEMS).map(([code, shape]: [string, ProblemShape]) => html`<tr><td><code>${code}</code></td><td>${shape.status}</td><td>${shape.title}${shape.retry === true && " (comes with Retry-After)"}</td></tr>`)}</table>
<h2 id="schemas">Schemas</h2>
${Object.entries(document.components.schemas).sort(([a], [b]) => a.localeCompare(b)).map(([name, schema]) => html`<section id="${anchorOf(name)}"><h3>${name}</h3><p>${prose(schema.description ?? "")}</p>${!schema.properties && html`<p>${typeHtml(schema)}${rulesHtml(schema)}</p>`}${fieldsHtml(schema)}</section>`)}
</main>
</body>
</html>
`;
  return page.text;
}

function operationHtml({ id, method, path, operation }: Entry): Html {
  const { parameters = [], requestBody } = operation;
  return html`<section id="${id}"><h3><span class="${method.toLowerCase()}">${method}</span> <a href="#${id}"><code>${path}</code></a></h3>
<p><b>${operation.summary ?? ""}.</b> ${prose(operation.description ?? "")}</p>
<p class="who">${operation["x-access"].map((way) => html`<span>${WHO[way] ?? way}</span>`)}</p>
${parameters.length > 0 && html`<h4>Parameters</h4><dl>${parameters.map((parameter) => html`<dt><code>${parameter.name}</code> <i>${parameter.in}</i> ${typeHtml(parameter.schema)}${parameter.required !== true && html` <i>optional</i>`}${rulesHtml(parameter.schema)}</dt><dd>${prose(parameter.description ?? parameter.schema.description ?? "")}</dd>`)}</dl>`}
${requestBody && html`<h4>Body</h4><p>${prose(requestBody.description ?? "")}</p>${contentHtml(requestBody.content)}`}
<h4>Answers</h4>${Object.entries(operation.responses).map(([status, response]) => html`<p><b>${status}</b> ${prose(response.description)}</p>${response.content && Number(status) < 400 && contentHtml(response.content)}`)}
</section>`;
}

function contentHtml(content: Content): Html {
  return html`${Object.entries(content).map(([type, { schema }]) => html`<p>${type !== "application/json" && html`<code>${type}</code> `}${typeHtml(schema)}</p>${schema.$ref === undefined && fieldsHtml(schema)}`)}`;
}
