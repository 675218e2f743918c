/**
 * The build of everything that runs in a browser, into dist/client:
 *
 * - `widget.js`: the loader, one classic script without imports (tenants' pages load it with one tag).
 * - `embed.html`, `console.html`: pages on the operator's origin; their parts are fingerprinted under `assets/`.
 * - `assets/ort/<version>/`: onnxruntime-web's WebAssembly builds, under a path that the runtime knows beforehand.
 *
 * `vite build` makes the pages, `vite build --mode widget` the loader; `npm run build` does both. `--mode package` makes
 * the npm package (cli/build/build-package.ts).
 */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { notices } from "./cli/build/notices.ts";
import { ortFiles } from "./cli/build/ort-files.ts";
import { pagesAtRoot } from "./cli/build/pages-at-root.ts";
import { workersBeside } from "./cli/build/workers-beside.ts";
import { ORT_FILES, ORT_PATH } from "./client/runtime/ort-files.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const outDir = process.env.LEASEHOLD_CLIENT_OUT ?? at("dist/client");
const target = "es2023";
/** Copied as files, beside what is bundled. */
const ENGINE = ["onnxruntime-web", "onnxruntime-common"].map((name) => at(`node_modules/${name}`));
const ofPages = notices("assets/third-party-notices.txt", ENGINE);

const widget = defineConfig({
  publicDir: false,
  build: {
    outDir,
    emptyOutDir: false,
    target,
    lib: { entry: at("client/widget/widget.ts"), formats: ["iife"], name: "LeaseholdWidget", fileName: () => "widget.js" },
  },
});

const pages = defineConfig({
  root: at("client"),
  plugins: [ortFiles(ORT_PATH, ORT_FILES), pagesAtRoot(["embed", "console"]), ofPages.main],
  worker: { format: "es", plugins: () => [ofPages.worker] },
  build: {
    outDir,
    emptyOutDir: true,
    target,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000,
    rolldownOptions: { input: { embed: at("client/embed/index.html"), console: at("client/console/index.html") } },
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
});

const npmPackage = defineConfig({
  publicDir: false,
  plugins: [workersBeside(), ortFiles("/engine/", ORT_FILES), notices("third-party-notices.txt", ENGINE).main],
  build: {
    outDir: process.env.LEASEHOLD_PACKAGE_OUT ?? at("dist/package"),
    target,
    minify: false, // whoever bundles it does that, and it can be read until then
    lib: { entry: { leasehold: at("client/sdk/index.ts"), react: at("client/react/index.ts"), "ai-sdk": at("client/ai-sdk/index.ts") }, formats: ["es"] },
    rolldownOptions: { external: ["react"], output: { entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" } },
  },
});

const MODES: Record<string, typeof pages> = { widget, package: npmPackage };

export default defineConfig(({ mode }) => ({ ...(MODES[mode] ?? pages), logLevel: "warn" }));
