/**
 * Serves the benches of the runtime: the repository through Vite, onnxruntime-web's files, and models from a folder.
 *
 * - Everything is cross-origin isolated, as the embed page is.
 */
import { createReadStream, statSync } from "node:fs";
import { join, normalize } from "node:path";
import { createServer, type Plugin } from "vite";
import { ortFiles } from "../../cli/build/ort-files.ts";
import { ROOT } from "../../cli/root.ts";
import { ORT_FILES, ORT_PATH } from "../../client/runtime/ort-files.ts";

export const MODELS_PATH = "/models/";

const modelFiles = (folder: string): Plugin => ({
  name: "leasehold:models",
  configureServer(server) {
    server.middlewares.use((request, response, next) => {
      const asked = decodeURIComponent((request.url ?? "").split("?")[0] ?? "");
      if (!asked.startsWith(MODELS_PATH)) return next();
      const path = normalize(join(folder, asked.slice(MODELS_PATH.length)));
      const found = path.startsWith(folder) ? statSync(path, { throwIfNoEntry: false }) : undefined;
      if (!found?.isFile()) {
        response.statusCode = 404;
        return response.end();
      }
      response.setHeader("Content-Length", found.size);
      response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
      createReadStream(path).pipe(response);
    });
  },
});

/** Its origin, and an end. */
export async function serveBench(modelsFolder: string): Promise<{ origin: string; close: () => Promise<void> }> {
  const server = await createServer({
    root: ROOT,
    configFile: false,
    logLevel: "error",
    appType: "mpa",
    plugins: [modelFiles(modelsFolder), ortFiles(ORT_PATH, ORT_FILES)],
    server: { port: 0, host: "127.0.0.1", headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" }, watch: null, fs: { strict: false } },
  });
  await server.listen();
  const origin = server.resolvedUrls?.local[0];
  if (!origin) throw new Error("Vite did not say where it listens");
  return { origin, close: () => server.close() };
}
