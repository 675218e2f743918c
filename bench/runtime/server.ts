/**
 * Serves the benches of the runtime: the repository through Vite, onnxruntime-web's files, and models from a folder.
 *
 * - Everything is cross-origin isolated, as the embed page is.
 */
import { createServer } from "vite";
import { ortFiles } from "../../cli/build/ort-files.ts";
import { ROOT } from "../../cli/root.ts";
import { ORT_FILES, ORT_PATH } from "../../client/runtime/ort-files.ts";
import { folderAt } from "../../test/support/folder-at.ts";
import type { Folders } from "./prepare.ts";

/** Its origin, and an end. */
export async function serveBench({ models, gguf }: Folders): Promise<{ origin: string; close: () => Promise<void> }> {
  const server = await createServer({
    root: ROOT,
    configFile: false,
    logLevel: "error",
    appType: "mpa",
    plugins: [folderAt("/models/", models), folderAt("/gguf/", gguf), ortFiles(ORT_PATH, ORT_FILES)],
    optimizeDeps: { noDiscovery: true },
    server: { port: 0, host: "127.0.0.1", headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" }, watch: null, fs: { strict: false } },
  });
  await server.listen();
  const origin = server.resolvedUrls?.local[0];
  if (!origin) throw new Error("Vite did not say where it listens");
  return { origin, close: () => server.close() };
}
