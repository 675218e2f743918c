/**
 * Puts onnxruntime-web's WebAssembly builds at /assets/ort/<version>/, in a build as files, in a dev or test server
 * as answers of the server.
 *
 * - Only the builds that the runtime uses: plain (WASM) and JSPI (WebGPU). The jsep and asyncify builds are above
 *   the 25 MiB that a static asset of a Worker may have.
 * - The path holds the version, so that the files may be cached for ever.
 */
import { createReadStream, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

const BUILDS = ["ort-wasm-simd-threaded", "ort-wasm-simd-threaded.jspi"];
const TYPES = { mjs: "text/javascript", wasm: "application/wasm" } as const;

export function ortFiles(): Plugin {
  const dist = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
  const { version } = JSON.parse(readFileSync(join(dist, "../package.json"), "utf8")) as { version: string };
  const folder = `assets/ort/${version}/`;
  const names = BUILDS.flatMap((build) => [`${build}.mjs`, `${build}.wasm`]);

  return {
    name: "leasehold:ort-files",
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const path = (request.url ?? "").split("?")[0] ?? "";
        const name = path.startsWith(`/${folder}`) ? path.slice(folder.length + 1) : "";
        if (!names.includes(name)) return next();
        response.setHeader("Content-Type", TYPES[name.endsWith(".wasm") ? "wasm" : "mjs"]);
        response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
        response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
        createReadStream(join(dist, name)).pipe(response);
      });
    },
    generateBundle() {
      for (const name of names) this.emitFile({ type: "asset", fileName: folder + name, source: readFileSync(join(dist, name)) });
    },
  };
}
