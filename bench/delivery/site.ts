/**
 * The pages of the bench on one origin: built as a tenant would build them, onnxruntime-web's files beside them, the
 * peer's packages, and a folder of models as a hub has them.
 *
 * - Everything is cross-origin isolated, and may be kept by the browser for ever, on both sides alike.
 * - `sentBytes` counts what went out under a path.
 */
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join, sep } from "node:path";
import { build } from "vite";
import { ortFiles } from "../../cli/build/ort-files.ts";
import { ROOT } from "../../cli/root.ts";
import { ORT_FILES, ORT_PATH } from "../../client/runtime/ort-files.ts";

export interface Site {
  readonly origin: string;
  sentBytes(path: string): number;
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = { html: "text/html", js: "text/javascript", mjs: "text/javascript", wasm: "application/wasm", json: "application/json" };

export async function startSite(outDir: string, modelsFolder: string): Promise<Site> {
  const page = join(import.meta.dirname, "page");
  await build({
    root: page,
    configFile: false,
    logLevel: "error",
    base: "/",
    worker: { format: "es" },
    plugins: [ortFiles(ORT_PATH, ORT_FILES)],
    build: { outDir, emptyOutDir: true, target: "es2023", modulePreload: { polyfill: false }, assetsInlineLimit: 0, rolldownOptions: { input: ["index", "peer", "cache", "neighbour"].map((name) => join(page, `${name}.html`)) } },
  });
  const folders: readonly (readonly [path: string, folder: string])[] = [
    ["/peers/", join(ROOT, ".leasehold/peers/node_modules")],
    ["/hub/", modelsFolder],
    ["/", outDir],
  ];
  const sent = new Map<string, number>();

  const server = createServer((request, response) => {
    const asked = new URL(request.url ?? "/", "http://site").pathname.replace("/resolve/main/", "/");
    const [path = "/", folder = outDir] = folders.find(([start]) => asked.startsWith(start)) ?? [];
    const file = join(folder, decodeURIComponent(asked.slice(path.length)) || "index.html");
    const found = file.startsWith(folder + sep) ? statSync(file, { throwIfNoEntry: false }) : undefined;
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
    if (!found?.isFile()) return void response.writeHead(404).end();
    response.writeHead(200, { "Content-Type": TYPES[file.slice(file.lastIndexOf(".") + 1)] ?? "application/octet-stream", "Content-Length": found.size, "Cache-Control": file.endsWith(".html") ? "no-cache" : "private, max-age=31536000, immutable" });
    if (request.method === "HEAD") return void response.end();
    sent.set(path, (sent.get(path) ?? 0) + found.size);
    createReadStream(file).pipe(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sentBytes: (path) => sent.get(path) ?? 0,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
