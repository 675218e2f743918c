/** A tenant's own page that uses the SDK by itself: an empty, isolated page whose server hands out the client's sources. */
import { createServer } from "vite";
import { ortFiles } from "../../cli/build/ort-files.ts";
import { freePort } from "../../cli/control-plane/ports.ts";
import { ROOT } from "../../cli/root.ts";
import type { ServedFile } from "../../client/runtime/ort-files.ts";

export interface SdkSite extends AsyncDisposable {
  readonly origin: string;
}

/** `ort`: where the runtime looks for onnxruntime-web's files, and which. */
export async function sdkSite(cacheDir: string, ort: { readonly path: string; readonly files: readonly ServedFile[] }): Promise<SdkSite> {
  const port = await freePort();
  const server = await createServer({
    root: ROOT,
    configFile: false,
    cacheDir,
    logLevel: "error",
    appType: "custom",
    server: {
      host: "127.0.0.1",
      port,
      strictPort: true,
      hmr: false,
      ws: false,
      watch: null,
      headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Resource-Policy": "same-origin" },
    },
    optimizeDeps: { include: ["idb", "@huggingface/jinja", "@huggingface/tokenizers"], entries: [] },
    plugins: [
      ortFiles(ort.path, ort.files),
      {
        name: "page",
        configureServer({ middlewares }) {
          middlewares.use("/page", (_, response) => {
            response.setHeader("Content-Type", "text/html");
            response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
            response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
            response.end('<!doctype html><title>A tenant</title><link rel="icon" href="data:,"><script type="module">import { Leasehold } from "/client/sdk/leasehold.ts"; globalThis.Leasehold = Leasehold;</script>');
          });
        },
      },
    ],
  });
  await server.listen();
  return { origin: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => server.close() };
}
