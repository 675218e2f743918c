/**
 * The control plane's HTTP API as the tools use it: answers are checked against the contract.
 *
 * - A refusal is thrown as `ApiProblem` with the code of its problem document.
 * - Nothing is retried here.
 */
import type { z } from "zod";
import { type Problem, problem } from "../schema/contract/problems.ts";

export interface Api {
  readonly url: string;
  get<T>(path: string, answer: z.ZodType<T>): Promise<T>;
  post<T>(path: string, body: unknown, answer: z.ZodType<T>): Promise<T>;
  put<T>(path: string, body: unknown, answer: z.ZodType<T>): Promise<T>;
  delete<T>(path: string, answer: z.ZodType<T>): Promise<T>;
  /** The answer as it is, refusals included. */
  raw(path: string, init?: RequestInit): Promise<Response>;
}

export class ApiProblem extends Error {
  readonly problem: Problem;

  constructor(request: string, document: Problem) {
    super(`${request}: ${document.title}. ${document.detail}`);
    this.problem = document;
  }
}

/** `credential`: a key or a lease. */
export function apiAt(url: string, credential: string): Api {
  const raw = (path: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${credential}`);
    return fetch(new URL(path, url), { ...init, headers });
  };
  const send = async <T>(method: string, path: string, body: unknown, answer: z.ZodType<T>): Promise<T> => {
    const isBytes = body instanceof Uint8Array;
    const response = await raw(path, {
      method,
      ...(body !== undefined && {
        headers: { "content-type": isBytes ? "application/octet-stream" : "application/json" },
        body: isBytes ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body),
      }),
    });
    const text = await response.text();
    if (response.ok) return answer.parse(JSON.parse(text));
    throw asProblem(`${method} ${path}`, response.status, text);
  };
  return {
    url,
    raw,
    get: (path, answer) => send("GET", path, undefined, answer),
    post: (path, body, answer) => send("POST", path, body, answer),
    put: (path, body, answer) => send("PUT", path, body, answer),
    delete: (path, answer) => send("DELETE", path, undefined, answer),
  };
}

function asProblem(request: string, status: number, text: string): Error {
  const parsed = problem.safeParse(tryJson(text));
  return parsed.success ? new ApiProblem(request, parsed.data) : new Error(`${request}: status ${status}, no problem document: ${text.slice(0, 300)}`);
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // the caller says what came instead
  }
}
