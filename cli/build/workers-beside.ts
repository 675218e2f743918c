/**
 * Builds each worker as a file beside what starts it, and leaves the line that starts it as bundlers know it:
 * `new Worker(new URL("./name.js", import.meta.url), …)`. Whoever bundles the package then finds its workers.
 *
 * - Vite's own handling writes addresses that hold for a page that it has built itself, and for nobody else's bundle.
 * - All files lie in one folder, so the address is right from whichever of them it stands in.
 */
import { basename, dirname, join } from "node:path";
import type { Plugin } from "vite";

const STARTED = /new URL\(\s*"(\.{1,2}\/[^"]+)\.ts",\s*import\.meta\.url\s*\)/g;
const MARK = "leasehold-worker:";

export function workersBeside(): Plugin {
  return {
    name: "leasehold:workers-beside",
    enforce: "pre",
    transform(code, id) {
      if (!id.endsWith(".ts") || !code.includes("new Worker(")) return null;
      return code.replace(STARTED, (_, path: string) => {
        const name = `${basename(path)}.js`;
        this.emitFile({ type: "chunk", id: join(dirname(id), `${path}.ts`), fileName: name });
        return `"${MARK}${name}"`;
      });
    },
    renderChunk(code) {
      return code.replace(new RegExp(`(["'\`])${MARK}([^"'\`]+)\\1`, "g"), (_, __, name: string) => `new URL("./${name}", import.meta.url)`);
    },
  };
}
