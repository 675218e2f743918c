/** Serves folders to a browser, cross-origin isolated, as a tenant's own web server would. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".css": "text/css" };
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export interface PageServer extends AsyncDisposable {
  readonly origin: string;
}

/** `folders`: by the path that each is served under, with a slash at its end; the first that begins the address is it. */
export async function servePages(folders: Readonly<Record<string, string>>): Promise<PageServer> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://page").pathname;
    const [prefix = "/", folder = ""] = Object.entries(folders).find(([prefix]) => path.startsWith(prefix)) ?? [];
    const file = join(folder, normalize(`/${path.slice(prefix.length)}`), path.endsWith("/") ? "index.html" : "");
    readFile(file).then(
      (bytes) => response.writeHead(200, { ...ISOLATED, "content-type": TYPES[extname(file)] ?? "application/octet-stream" }).end(bytes),
      () => response.writeHead(404, ISOLATED).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
