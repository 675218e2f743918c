/**
 * Requests drawn from the API's own document, right and wrong, by every kind of credential: no answer is a 5xx, and
 * every answer is one that the document has: its status, its media type, its body to the last property.
 *
 * - 5,000 requests, 100,000 in the long run (LEASEHOLD_SOAK=1); the seed is fixed in the short run and printed.
 * - What a request makes (leases, keys, revisions, …) is used by later ones; the tenant is put right again now and then.
 */
import { env } from "cloudflare:workers";
import * as fc from "fast-check";
import { beforeAll, expect, test, vi } from "vitest";
import { PROBLEMS, type ProblemCode } from "../../schema/contract/problems.ts";
import { BASE, OPERATOR_KEY, type Answer, api, expectStatus } from "../support/api.ts";
import { clock } from "../support/clock.ts";
import { hostileHeaders, hostileText, hostileValue, spoiled } from "../support/hostile.ts";
import { type Schema, type Schemas, faultsOf, valuesOf } from "../support/json-schema.ts";
import { newTenantId, publishTinyModel } from "../support/tenant.ts";
import { type Cast, makeCast } from "../support/who.ts";

const REQUESTS = env.TEST_SOAK ? 100_000 : 5_000;
const SEED = env.TEST_SOAK ? Date.now() % 2 ** 31 : 20_261_122;
const RESET_EVERY = 250;

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly schema: Schema;
}
interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: Schema | "bytes" | null;
  readonly responses: Readonly<Record<string, { readonly "x-codes"?: readonly string[]; readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>>;
}

let operations: Operation[];
let schemas: Schemas;
let cast: Cast;
const time = clock();

beforeAll(async () => {
  // Webhooks that the fuzz makes are for hosts of others: nothing leaves this machine.
  vi.spyOn(globalThis, "fetch").mockImplementation(async () => new Response(null, { status: 503 }));
  cast = await makeCast(time);
  const document = expectStatus(await api.get("/openapi.json"), 200).json;
  schemas = document.components.schemas;
  operations = Object.entries(document.paths as Record<string, Record<string, never>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody, responses }]: [string, { parameters?: Parameter[]; requestBody?: { content: Record<string, { schema: Schema }> }; responses: Operation["responses"] }]) => ({
      method: method.toUpperCase(), path, parameters, responses,
      body: requestBody === undefined ? null : (requestBody.content["application/json"]?.schema ?? "bytes"),
    })),
  );
});

test(`${REQUESTS} requests: no 5xx, no undocumented status or body`, { timeout: env.TEST_SOAK ? 5_400_000 : 300_000 }, async () => {
  console.warn(`fuzz: ${REQUESTS} requests, seed ${SEED}`);
  const pool = new Pool(cast);
  const asked = new Map<string, number>();
  const statuses = new Map<number, number>();
  const faults: string[] = [];
  let sent = 0;
  for (const request of requests()) {
    if (sent % RESET_EVERY === 0) await putRight(cast);
    const { operation, line, answer } = await send(request, pool);
    sent += 1;
    asked.set(`${operation.method} ${operation.path}`, (asked.get(`${operation.method} ${operation.path}`) ?? 0) + 1);
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    for (const fault of faultsOfAnswer(operation, answer, line.split(" ")[0] as string)) faults.push(`#${sent} ${line}\n  → ${answer.status} ${answer.text.slice(0, 300)}\n  ${fault}`);
    if (faults.length >= 10) break;
    if (answer.status < 300) pool.learn(operation, answer);
  }
  console.warn(`fuzz: ${[...statuses].sort(([a], [b]) => a - b).map(([status, n]) => `${status}: ${n}`).join(", ")}`);
  expect(faults.join("\n\n")).toBe("");
  expect(sent).toBe(REQUESTS);
  expect(asked.size).toBe(operations.length);
  // Both what is taken and what is refused was seen, often.
  expect(statuses.get(200) ?? 0).toBeGreaterThan(REQUESTS / 20);
  expect(statuses.get(201) ?? 0).toBeGreaterThan(REQUESTS / 200);
  expect(statuses.get(400) ?? 0).toBeGreaterThan(REQUESTS / 20);
});

/** What one request is made of, before ids that exist are put in. */
interface Draft {
  readonly operation: number;
  readonly who: number;
  readonly isRightWho: boolean;
  readonly values: Readonly<Record<string, unknown>>;
  readonly pick: number;
  /** Which of its parts are spoiled. */
  readonly spoil: "nothing" | "body" | "raw" | "path" | "query" | "method" | "headers";
  readonly hostile: unknown;
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

function* requests(): Generator<Draft> {
  const drafts = operations.map((operation, at) =>
    fc.record<Draft>({
      operation: fc.constant(at),
      who: fc.nat(),
      isRightWho: fc.oneof({ weight: 7, arbitrary: fc.constant(true) }, { weight: 3, arbitrary: fc.constant(false) }),
      values: fc.record(Object.fromEntries([...operation.parameters.map(({ name, schema }) => [name, valuesOf(schema, schemas)]), ["body", typeof operation.body === "object" && operation.body !== null ? valuesOf(operation.body, schemas) : fc.constant(undefined)]])),
      pick: fc.nat(),
      spoil: fc.oneof({ weight: 5, arbitrary: fc.constant("nothing" as const) }, { weight: 5, arbitrary: fc.constantFrom("body", "body", "raw", "path", "query", "method", "headers") }),
      hostile: hostileValue(),
      text: hostileText(),
      headers: hostileHeaders(),
    }),
  );
  const batch = 500;
  for (let made = 0; made < REQUESTS; made += batch) yield* fc.sample(fc.oneof(...drafts), { numRuns: Math.min(batch, REQUESTS - made), seed: SEED + made });
}

async function send(draft: Draft, pool: Pool): Promise<{ operation: Operation; line: string; answer: Answer }> {
  const operation = operations[draft.operation] as Operation;
  const at = (from: readonly string[]) => from[draft.pick % from.length] as string;
  const destroys = operation.method === "DELETE" && operation.path === "/v1/tenants/{t}";
  const value = ({ name, in: where }: Parameter): string => {
    if (draft.spoil === where && draft.pick % 2 === 0) return draft.text;
    if (where === "path" && name === "t") return destroys ? newTenantId("absent") : draft.pick % 11 === 0 ? cast.other.id : cast.tenant.id;
    const known = where === "path" ? pool.known(operation.path, name) : [];
    return known.length > 0 && draft.pick % 5 !== 0 ? at(known) : String(draft.values[name]);
  };
  let path = operation.path;
  for (const parameter of operation.parameters) if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(wellFormed(value(parameter))));
  const query = operation.parameters.filter((parameter) => parameter.in === "query" && (draft.pick >> 3) % 2 === 0).map((parameter) => `${parameter.name}=${encodeURIComponent(wellFormed(value(parameter)))}`);
  const extra = draft.spoil === "query" ? [`${encodeURIComponent(wellFormed(draft.text))}=1`] : [];
  if (query.length + extra.length > 0) path += `?${[...query, ...extra].join("&")}`;
  const method = draft.spoil === "method" ? at(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) : operation.method;
  const who = draft.isRightWho ? pool.rightWho(operation, draft.who) : (cast.all[draft.who % cast.all.length]?.ask ?? {});
  const named = operation.parameters.filter((parameter) => parameter.in === "header" && (draft.pick >> 4) % 3 === 0).map(({ name }) => [name, draft.pick % 2 === 0 ? `"${cast.model.digest}"` : String(draft.values[name])]);
  const headers = { ...Object.fromEntries(named), ...(draft.spoil === "headers" ? draft.headers : {}), ...who.headers };
  const hasBody = !["GET", "HEAD", "DELETE", "OPTIONS"].includes(method);
  const body = hasBody ? bodyOf(draft, operation, pool) : {};
  // A method that was spoiled must not erase the tenant that the others are tried on.
  if (method === "DELETE" && /^\/v1\/tenants\/[^/]+(\?|$)/.test(path)) path = `/v1/tenants/${newTenantId("absent")}`;
  const line = `${method} ${path} ${JSON.stringify({ who: draft.isRightWho ? "right" : cast.all[draft.who % cast.all.length]?.name, headers, ...body }).slice(0, 1_500)}`;
  try {
    return { operation: method === operation.method ? operation : documented(method, path) ?? operation, line, answer: await api.call(method, path, { ...who, headers, ...body }) };
  } catch (cause) {
    throw new Error(`the Worker threw at ${line}`, { cause });
  }
}

function bodyOf(draft: Draft, operation: Operation, pool: Pool): { body?: unknown; raw?: string } {
  if (operation.body === "bytes") return { body: draft.pick % 2 === 0 ? cast.model.bytes : new TextEncoder().encode(draft.text) };
  if (draft.spoil === "raw") return { raw: wellFormed(draft.pick % 2 === 0 ? draft.text : JSON.stringify(draft.values.body ?? {}).slice(0, -1)) };
  const body = pool.filled(draft.values.body ?? {}, draft.pick);
  return { body: draft.spoil === "body" ? spoiled(body, draft.pick, draft.hostile) : body };
}

const wellFormed = (text: string): string => text.toWellFormed();

/** The operation that a method and a path name, where there is one. */
function documented(method: string, path: string): Operation | null {
  const bare = path.split("?")[0]?.split("/") ?? [];
  const wanted = method === "HEAD" ? "GET" : method;
  return operations.find((operation) => operation.method === wanted && operation.path.split("/").length === bare.length && operation.path.split("/").every((part, n) => part.startsWith("{") || part === bare[n])) ?? null;
}

function faultsOfAnswer(operation: Operation, answer: Answer, method: string): string[] {
  const { status, headers } = answer;
  const isHead = method === "HEAD";
  const faults: string[] = [];
  if (status >= 500) faults.push("a 5xx");
  if (!/^[A-Za-z0-9._:-]{1,128}$/.test(headers.get("x-request-id") ?? "")) faults.push("no X-Request-Id");
  const type = headers.get("content-type")?.split(";")[0] ?? "";
  if (status >= 400) return [...faults, ...problemFaults(answer, type, isHead), ...unlisted(operation, answer, method)];
  if (status === 204 && headers.has("access-control-allow-methods")) return faults; // a preflight
  const response = operation.responses[String(status)];
  if (!response) return [...faults, `the status ${status} is not documented`];
  if (response.content === undefined) return answer.text === "" ? faults : [...faults, "a body that is not documented"];
  const content = response.content[type];
  if (!content) return [...faults, `the media type ${type} is not documented`];
  if (isHead) return answer.text === "" ? faults : [...faults, "a body to HEAD"];
  if (type === "application/json") faults.push(...faultsOf(answer.json, content.schema, schemas));
  if (type === "application/x-ndjson") for (const line of answer.text.split("\n").filter((text) => text !== "")) JSON.parse(line);
  return faults;
}

/** A refusal that the document does not list for this operation. A method or path that nothing is at answers for itself. */
function unlisted(operation: Operation, { status, json }: Answer, method: string): string[] {
  const response = operation.responses[String(status)];
  const isStray = status === 405 || (status === 404 && /nothing at this address/.test(json?.detail ?? ""));
  if (isStray) return [];
  if (!response) return [`the status ${status} is not documented`];
  return method === "HEAD" || response["x-codes"]?.includes(json?.code) ? [] : [`the code ${json?.code} is not documented for ${status}`];
}

function problemFaults({ status, headers, json, text }: Answer, type: string, isHead: boolean): string[] {
  if (type !== "application/problem+json") return [`an error of the media type ${type}`];
  const faults: string[] = [];
  if (status === 401 && !headers.has("www-authenticate")) faults.push("a 401 without WWW-Authenticate");
  if (status === 429 && !headers.has("retry-after")) faults.push("a 429 without Retry-After");
  if (status === 405 && !headers.has("allow")) faults.push("a 405 without Allow");
  if (isHead) return text === "" ? faults : [...faults, "a body to HEAD"];
  const shape = PROBLEMS[json?.code as ProblemCode];
  if (shape?.status !== status) faults.push(`the code ${json?.code} has another status`);
  if (/\bat .*\.ts:\d+|node_modules|SQLITE|D1_ERROR/.test(text)) faults.push("an error that shows our insides");
  return [...faults, ...faultsOf(json, schemas.Problem as Schema, schemas)];
}

/** What exists by now: ids, leases and bodies that fit together. */
class Pool {
  readonly #cast: Cast;
  readonly #known = new Map<string, string[]>();
  #leases: { id: string; token: string }[] = [];

  constructor(cast: Cast) {
    this.#cast = cast;
    this.#add("model", "tiny");
    this.#add("revision", cast.model.revision);
    this.#add("sha256", cast.model.digest);
    this.#add("name", "openai-key");
  }

  known(path: string, name: string): readonly string[] {
    if (name !== "id") return this.#known.get(name) ?? [];
    if (path.startsWith("/v1/leases")) return [this.#cast.leaseId, ...this.#leases.map(({ id }) => id)];
    return this.#known.get(path.includes("/keys/") ? "key" : path.includes("/webhooks/") ? "webhook" : "other") ?? [];
  }

  learn({ method, path }: Operation, { json }: Answer): void {
    if (method !== "POST" || json === null) return;
    if (path === "/v1/leases") this.#leases = [{ id: json.lease_id, token: json.lease }, ...this.#leases].slice(0, 20);
    if (/\/keys(\/\{id\}\/rotate)?$/.test(path)) this.#add("key", json.id);
    if (path.endsWith("/webhooks")) this.#add("webhook", json.id);
    if (path.endsWith("/revisions")) {
      this.#add("revision", json.revision);
      for (const digest of json.missing.slice(0, 2)) this.#add("sha256", digest);
    }
  }

  #add(name: string, id: string): void {
    const all = this.#known.get(name) ?? [];
    if (!all.includes(id)) this.#known.set(name, [...all.slice(-15), id]);
  }

  /** A credential that the operation takes, of the tenant that it is tried on. */
  rightWho({ path, method }: Operation, pick: number): { key?: string; origin?: string; headers?: Record<string, string> } {
    const { tenant } = this.#cast;
    const lease = this.#leases[pick % Math.max(1, this.#leases.length)];
    const onlyOperator = path === "/v1/tenants" || (path === "/v1/tenants/{t}" && method !== "GET") || path.endsWith("/erasure") || path.endsWith("/rewrap");
    if (path.startsWith("/v1/tenants")) return { key: onlyOperator || pick % 3 === 0 ? OPERATOR_KEY : tenant.admin };
    if (path === "/v1/leases" || !lease || pick % 3 === 0) return pick % 2 === 0 ? { key: tenant.publishable, origin: BASE } : { key: tenant.secret };
    return { key: lease.token };
  }

  /** A body that names what exists where it has to: the rest of it stays as drawn. */
  filled(body: unknown, pick: number): unknown {
    if (typeof body !== "object" || body === null || Array.isArray(body)) return body;
    const filled: Record<string, unknown> = { ...body };
    if ("model" in filled && pick % 4 !== 0) filled.model = "tiny";
    if ("tokens" in filled && pick % 3 !== 0) filled.tokens = 1 + (pick % 50);
    if ("input_tokens" in filled && pick % 3 !== 0) Object.assign(filled, { input_tokens: pick % 3, output_tokens: pick % 2 });
    if ("isolation_level" in filled && pick % 2 === 0) filled.isolation_level = "pooled";
    if ("id" in filled && "subscription_tier" in filled) filled.id = newTenantId("fuzz");
    if (filled.type === "secret") delete filled.origins;
    if (filled.type === "publishable") {
      delete filled.scopes;
      filled.origins = ["https://shop.example"];
    }
    if ("expires_at" in filled && pick % 3 !== 0) delete filled.expires_at;
    if ("time_zone" in filled && pick % 3 !== 0) filled.time_zone = "Europe/Berlin";
    return filled;
  }
}

/** The tenant as it began: enabled, without limits that refuse all, with its model live. */
async function putRight({ tenant }: Cast): Promise<void> {
  const at = `/v1/tenants/${tenant.id}`;
  expectStatus(await api.patch(at, { key: OPERATOR_KEY, body: { enabled: true } }), 200);
  expectStatus(await api.put(`${at}/policy`, { key: OPERATOR_KEY, body: { offline_leases: true, requests_per_minute: 1_000 } }), 200);
  await publishTinyModel(tenant);
}
