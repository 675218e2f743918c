/**
 * An HTTP server on this machine that answers as a test says, to show what the client makes of it: problem documents,
 * broken bodies, cut connections. The real control plane answers in the `workers` and `e2e` projects.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Heard {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: unknown;
}

export type Answer = (response: ServerResponse, heard: Heard) => void;

export interface ScriptedServer extends AsyncDisposable {
  readonly url: string;
  readonly heard: Heard[];
}

export async function serve(answer: Answer): Promise<ScriptedServer> {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      let text = "";
      for await (const part of request) text += String(part);
      const one: Heard = { method: request.method ?? "", path: request.url ?? "", headers: request.headers, body: text === "" ? undefined : (JSON.parse(text) as unknown) };
      heard.push(one);
      answer(response, one);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    heard,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

export function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
}
