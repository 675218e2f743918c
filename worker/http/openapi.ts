/** The API's document, generated from the schemas that validate. */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { SESSION_COOKIE } from "../sessions/cookie.ts";
import type { AppEnv } from "./app-env.ts";
import { ACCESS } from "./access.ts";
import { operationIdOf } from "./operation-id.ts";
import { type Asked, refusalAnswers, refusalsOf } from "./refusals.ts";

type Operation = Asked & { operationId?: string; responses: Record<string, object> };

export function openApiDocument(app: OpenAPIHono<AppEnv>) {
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    description: "The operator key (lh_op_…), a secret key (lh_sk_…), a publishable key (lh_pk_…) or a lease; `x-access` says which of them each route takes.",
  });
  app.openAPIRegistry.registerComponent("securitySchemes", "session", {
    type: "apiKey",
    in: "cookie",
    name: SESSION_COOKIE,
    description: "A session of the console, from `POST /v1/session`: it stands for the key that it was obtained with. Taken from pages of this origin alone.",
  });
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: { title: "Leasehold", version: "0.1.0", description: "Multi-tenant AI inference in the browser, on a lease." },
  });
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(methods as Record<string, Operation>)) {
      operation.operationId = operationIdOf(method, path);
      delete operation.responses.default; // what stands for any problem while a route is written
      Object.assign(operation.responses, refusalAnswers(refusalsOf(wayOf(method, path), operation)));
    }
  }
  return withPlainPatterns(document) as typeof document;
}

function wayOf(method: string, path: string): keyof typeof ACCESS {
  const way = `${method.toUpperCase()} ${path}`;
  if (!(way in ACCESS)) throw new Error(`${way} has no row in the access table`);
  return way as keyof typeof ACCESS;
}

/** The generator writes a Unicode regular expression with its flag (`…$/u`); a pattern is the expression alone. */
function withPlainPatterns(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withPlainPatterns);
  if (typeof node !== "object" || node === null) return node;
  return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, name === "pattern" && typeof value === "string" ? value.replace(/\/u$/, "") : withPlainPatterns(value)]));
}
