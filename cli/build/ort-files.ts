/**
 * Puts onnxruntime-web's files at a path of their own: in a build as files, in a dev or test server as answers.
 *
 * - They are served as the package has them: their code finds its parts next to itself.
 */
import { createReadStream, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

/** `path`: under the origin, with a slash at both ends. `names`: files of the package's `dist` folder. */
export function ortFiles(path: string, names: readonly string[]): Plugin {
  const dist = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));

  return {
    name: "leasehold:ort-files",
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const asked = (request.url ?? "").split("?")[0] ?? "";
        const name = asked.startsWith(path) ? asked.slice(path.length) : "";
        if (!names.includes(name)) return next();
        response.setHeader("Content-Type", name.endsWith(".wasm") ? "application/wasm" : "text/javascript");
        response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
        response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
        createReadStream(join(dist, name)).pipe(response);
      });
    },
    generateBundle() {
      for (const name of names) this.emitFile({ type: "asset", fileName: path.slice(1) + name, source: readFileSync(join(dist, name)) });
    },
  };
}
