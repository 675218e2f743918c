/**
 * The build of everything that runs in a browser, into dist/client:
 *
 * - `widget.js`: the loader, one classic script without imports (tenants' pages load it with one tag).
 * - `embed.html`, `console.html`: pages on the operator's origin; their parts are fingerprinted under `assets/`.
 * - `assets/ort/<version>/`: onnxruntime-web's WebAssembly builds, under a path that the runtime knows beforehand.
 *
 * `vite build` makes the pages, `vite build --mode widget` the loader; `npm run build` does both.
 */
import { defineConfig } from "vite";
import { ortFiles } from "./cli/build/ort-files.ts";
import { pagesAtRoot } from "./cli/build/pages-at-root.ts";

const outDir = process.env.LEASEHOLD_CLIENT_OUT ?? new URL("dist/client", import.meta.url).pathname;
const target = "es2023";

const widget = defineConfig({
  publicDir: false,
  build: {
    outDir,
    emptyOutDir: false,
    target,
    lib: { entry: "client/widget/widget.ts", formats: ["iife"], name: "LeaseholdWidget", fileName: () => "widget.js" },
  },
});

const pages = defineConfig({
  root: "client",
  plugins: [ortFiles(), pagesAtRoot(["embed", "console"])],
  worker: { format: "es" },
  build: {
    outDir,
    emptyOutDir: true,
    target,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000,
    rolldownOptions: { input: { embed: "client/embed/index.html", console: "client/console/index.html" } },
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
});

export default defineConfig(({ mode }) => ({ ...(mode === "widget" ? widget : pages), logLevel: "warn" }));
