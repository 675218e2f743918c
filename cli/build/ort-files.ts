/**
 * Puts onnxruntime-web's files at a path of their own: in a build as files, in a dev or test server as answers.
 *
 * - They are served as the package has them, or in parts: their code finds its parts next to itself.
 */
import { createReadStream, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

/** What is served under `name`: the file `of` of the package's `dist` folder, or a part of it. */
export interface ServedFile {
  readonly name: string;
  readonly of: string;
  readonly part?: { readonly begin: number; readonly end: number };
}

/** `path`: under the origin, with a slash at both ends. */
export function ortFiles(path: string, files: readonly ServedFile[]): Plugin {
  const dist = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));

  return {
    name: "leasehold:ort-files",
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const asked = (request.url ?? "").split("?")[0] ?? "";
        const name = asked.startsWith(path) ? asked.slice(path.length) : "";
        const file = files.find((one) => one.name === name);
        if (!file) return next();
        response.setHeader("Content-Type", name.endsWith(".wasm") ? "application/wasm" : "text/javascript");
        response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
        response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
        createReadStream(join(dist, file.of), file.part && { start: file.part.begin, end: file.part.end - 1 }).pipe(response);
      });
    },
    generateBundle() {
      for (const { name, of, part } of files) this.emitFile({ type: "asset", fileName: path.slice(1) + name, source: readFileSync(join(dist, of)).subarray(part?.begin, part?.end) });
    },
  };
}
