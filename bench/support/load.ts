/** Sends load with autocannon: a fixed number of connections, each with one request at a time, for a while or for a number of requests. */
import autocannon from "autocannon";

export interface Load {
  readonly url: string;
  readonly host: string;
  readonly path: string;
  readonly method: "GET" | "POST";
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** One request each, in turn; overrides `path` and `body`. */
  readonly each?: readonly { readonly path: string; readonly body: string; readonly headers: Record<string, string> }[];
  readonly connections?: number;
  readonly seconds?: number;
}

export interface LoadResult {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly byStatus: Readonly<Record<string, number>>;
}

export async function send(load: Load): Promise<LoadResult> {
  const connections = load.connections ?? 16;
  let at = 0;
  const next = () => load.each?.[at++ % (load.each.length || 1)];
  const options: autocannon.Options = {
    url: `${load.url}${load.path}`,
    connections: load.each ? Math.min(connections, load.each.length) : connections,
    ...(load.each ? { amount: load.each.length } : { duration: load.seconds ?? 5 }),
    requests: [
      {
        method: load.method,
        path: load.path,
        headers: { host: load.host, ...(load.body !== undefined || load.each ? { "content-type": "application/json" } : {}), ...load.headers },
        ...(load.body !== undefined && { body: load.body }),
        ...(load.each && {
          setupRequest: (request: autocannon.Request) => {
            const one = next();
            return one ? { ...request, path: one.path, body: one.body, headers: { ...request.headers, ...one.headers } } : request;
          },
        }),
      },
    ],
  };
  const began = performance.now();
  let answered = began;
  const result = await new Promise<autocannon.Result>((done, failed) => {
    const running = autocannon(options, (error, all) => (error ? failed(error) : done(all)));
    running.on("response", () => {
      answered = performance.now();
    });
  });
  if (result.errors > 0) throw new Error(`${result.errors} of the requests to ${load.path} found no answer`);
  // Up to the last answer: autocannon itself ends on whole seconds.
  const seconds = (answered - began) / 1000;
  const codes = Object.entries(result.statusCodeStats ?? {}).map(([code, { count }]) => [code, count ?? 0] as const);
  return { perSecond: result.requests.total / seconds, p99Ms: result.latency.p99, byStatus: Object.fromEntries(codes) };
}

/** Throws unless every answer had this status. */
export function expectOnly(result: LoadResult, status: number): LoadResult {
  const others = Object.entries(result.byStatus).filter(([code]) => code !== String(status));
  if (others.length > 0) throw new Error(`expected ${status} only, got ${JSON.stringify(result.byStatus)}`);
  return result;
}
