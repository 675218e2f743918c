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

export interface SiteSettings {
  /** Folder under examples/. */
  readonly name: string;
  readonly port: number;
  readonly operatorUrl: string;
  readonly publishableKey: string;
  readonly user: string;
}

export interface Site {
  readonly url: string;
  stop(): Promise<void>;
}

const TYPES: Record<string, string> = { ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml" };

/** Another host than the operator's `localhost`: to a browser, another site and not only another origin. */
export const siteOrigin = (port: number) => `http://127.0.0.1:${port}`;

export async function serveSite(settings: SiteSettings): Promise<Site> {
  const folder = join(ROOT, "examples", settings.name);
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", siteOrigin(settings.port));
    const path = url.pathname === "/" ? "/index.html" : url.pathname;
    const type = TYPES[extname(path)];
    readFile(join(folder, normalize(path))).then(
      (bytes) => {
        response.writeHead(200, { "content-type": type ?? "application/octet-stream", "cache-control": "no-store" });
        response.end(type === TYPES[".html"] ? filledIn(bytes.toString("utf8"), settings, url.searchParams) : bytes);
      },
      () => response.writeHead(404, { "content-type": "text/plain" }).end("Not found\n"),
    );
  });
  await listen(server, settings.port);
  return {
    url: siteOrigin(settings.port),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function filledIn(html: string, { operatorUrl, publishableKey, user }: SiteSettings, query: URLSearchParams): string {
  const values: Record<string, string> = {
    operator: operatorUrl,
    key: publishableKey,
    user: query.get("user") ?? user,
    backend: query.get("backend") ?? "auto",
  };
  return html.replace(/\{\{(\w+)\}\}/g, (_, name: string) => escapeHtml(values[name] ?? ""));
}

const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve());
  });
}
