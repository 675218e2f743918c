/**
 * Serves one example site on an origin of its own, as a tenant's web server would: static files, and one page in
 * which the operator's address, the tenant's publishable key and the visitor's id are filled in.
 *
 * - `?user=` and `?backend=webgpu|wasm` on the page choose another visitor or backend, to try things out.
 */
import { readFile } from "node:fs/promises";
import { type Server, createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { ROOT } from "../root.ts";

/** What the pages are filled in with. */
export interface SiteValues {
  readonly operatorUrl: string;
  readonly publishableKey: string;
  readonly user: string;
}

export interface Site {
  readonly url: string;
  /** Before it, the site answers 503: its origin is known first, then its key. */
  fillIn(values: SiteValues): void;
  stop(): Promise<void>;
}

const TYPES: Record<string, string> = { ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml" };

/** Another host than the operator's `localhost`: to a browser, another site and not only another origin. */
const HOST = "127.0.0.1";

/** `name`: a folder under examples/. `port`: taken where it is free, else any. */
export async function openSite(name: string, port?: number): Promise<Site> {
  const folder = join(ROOT, "examples", name);
  let values: SiteValues | null = null;
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://site");
    const path = url.pathname === "/" ? "/index.html" : url.pathname;
    const type = TYPES[extname(path)];
    const filled = values;
    if (!filled) {
      response.writeHead(503).end();
      return;
    }
    readFile(join(folder, normalize(path))).then(
      (bytes) => {
        response.writeHead(200, { "content-type": type ?? "application/octet-stream", "cache-control": "no-store" });
        response.end(type === TYPES[".html"] ? filledIn(bytes.toString("utf8"), filled, url.searchParams) : bytes);
      },
      () => response.writeHead(404, { "content-type": "text/plain" }).end("Not found\n"),
    );
  });
  const taken = await listen(server, port).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EADDRINUSE") return listen(server);
    throw error;
  });
  return {
    url: `http://${HOST}:${taken}`,
    fillIn: (given) => {
      values = given;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function filledIn(html: string, { operatorUrl, publishableKey, user }: SiteValues, query: URLSearchParams): string {
  const values: Record<string, string> = {
    operator: operatorUrl,
    key: publishableKey,
    user: query.get("user") ?? user,
    backend: query.get("backend") ?? "auto",
  };
  return html.replace(/\{\{(\w+)\}\}/g, (_, name: string) => escapeHtml(values[name] ?? ""));
}

const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

function listen(server: Server, port = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, HOST, () => {
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : port);
    });
  });
}
