/**
 * The public HTTP API as tests in workerd call it: `api.post("/v1/leases", …)` goes through the Worker's own handler.
 *
 * - Bodies are sent as JSON unless they are bytes or text; `raw` sends a text as it is.
 * - An answer is read whole; `json` is null where it holds none.
 */
import { env, exports } from "cloudflare:workers";

export const BASE = "https://leasehold.test";
export const OPERATOR_KEY: string = env.TEST_OPERATOR_KEY;

export interface Ask {
  readonly key?: string | undefined;
  readonly body?: unknown;
  /** A body sent as it stands, as application/json. */
  readonly raw?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly origin?: string | undefined;
  readonly idempotencyKey?: string | undefined;
}

/** Answers are read freely in tests: what they hold is what a test asserts. */
type Json = ReturnType<typeof JSON.parse>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly json: Json;
  /** The problem's code, where the answer is one. */
  readonly code: string | null;
}

async function call(method: string, path: string, ask: Ask = {}): Promise<Answer> {
  const headers = new Headers(ask.headers);
  if (ask.key !== undefined) headers.set("authorization", `Bearer ${ask.key}`);
  if (ask.origin !== undefined) headers.set("origin", ask.origin);
  if (ask.idempotencyKey !== undefined) headers.set("idempotency-key", ask.idempotencyKey);
  const bytes = ask.body instanceof Uint8Array;
  const body = ask.raw ?? (ask.body === undefined ? undefined : bytes ? (ask.body as Uint8Array<ArrayBuffer>) : JSON.stringify(ask.body));
  if (body !== undefined && !headers.has("content-type")) headers.set("content-type", bytes ? "application/octet-stream" : "application/json");
  const worker = (exports as unknown as { default: Fetcher }).default;
  const response = await worker.fetch(new Request(new URL(path, BASE), { method, headers, body }));
  const bytesRead = new Uint8Array(await response.arrayBuffer());
  const text = new TextDecoder().decode(bytesRead);
  const json: Json = /\bjson\b/.test(response.headers.get("content-type") ?? "") && text !== "" ? JSON.parse(text) : null;
  return { status: response.status, headers: response.headers, bytes: bytesRead, text, json, code: json?.code ?? null };
}

export const api = {
  call,
  get: (path: string, ask?: Ask) => call("GET", path, ask),
  post: (path: string, ask?: Ask) => call("POST", path, ask),
  put: (path: string, ask?: Ask) => call("PUT", path, ask),
  patch: (path: string, ask?: Ask) => call("PATCH", path, ask),
  delete: (path: string, ask?: Ask) => call("DELETE", path, ask),
};

/** For steps that a test only needs to have succeeded. */
export function expectStatus(answer: Answer, ...wanted: number[]): Answer {
  if (!wanted.includes(answer.status)) throw new Error(`expected ${wanted.join(" or ")}, got ${answer.status}: ${answer.text}`);
  return answer;
}
