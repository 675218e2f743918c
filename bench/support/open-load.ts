/**
 * Load as strangers make it: each request leaves at an instant of its own, drawn beforehand (a Poisson process), whether
 * or not those before it were answered. What a request waits for counts as its time, also where that is a free connection.
 */
import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { Worker } from "node:worker_threads";

export interface OpenLoad {
  readonly url: string;
  readonly host: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly perSecond: number;
  readonly seconds: number;
}

export interface OpenResult {
  /** Milliseconds, the shortest first. */
  readonly times: readonly number[];
  /** By how much each left later than it should have: what is the sender's own in the times. The least first. */
  readonly late: readonly number[];
  readonly byStatus: Readonly<Record<string, number>>;
}

const CONNECTIONS = 16;

/** The same from a thread of its own. */
export async function sendApart(load: OpenLoad): Promise<OpenResult> {
  const thread = new Worker(new URL("./open-load.worker.ts", import.meta.url), { workerData: load });
  const [result] = (await once(thread, "message")) as [OpenResult];
  return result;
}

export async function sendOpen(load: OpenLoad): Promise<OpenResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const byStatus: Record<string, number> = {};
  const late: number[] = [];
  const began = performance.now();
  const under = instantsOf(load).map(async (at) => {
    await new Promise((go) => setTimeout(go, Math.max(0, began + at - performance.now())));
    const due = began + at;
    late.push(performance.now() - due);
    const status = await post(load, agent);
    byStatus[status] = (byStatus[status] ?? 0) + 1;
    return performance.now() - due;
  });
  const times = await Promise.all(under);
  agent.destroy();
  return { times: times.sort((a, b) => a - b), late: late.sort((a, b) => a - b), byStatus };
}

function instantsOf({ perSecond, seconds }: OpenLoad): number[] {
  const instants: number[] = [];
  const gap = () => (-Math.log(1 - Math.random()) * 1000) / perSecond;
  for (let at = gap(); at < seconds * 1000; at += gap()) instants.push(at);
  return instants;
}

async function post({ url, host, path, headers, body }: OpenLoad, agent: Agent): Promise<number> {
  const sent = request(`${url}${path}`, { method: "POST", agent, headers: { host, "content-type": "application/json", "content-length": Buffer.byteLength(body), ...headers } });
  sent.end(body);
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  await text(answer);
  return answer.statusCode ?? 0;
}

/** The value that a share of them does not exceed. */
export const quantile = (sorted: readonly number[], share: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
