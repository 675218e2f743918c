/** Emits `embed/index.html` as `embed.html`: the Worker asks for pages by that name. */
import type { Plugin } from "vite";

export function pagesAtRoot(names: readonly string[]): Plugin {
  return {
    name: "leasehold:pages-at-root",
    enforce: "post",
    generateBundle(_options, bundle) {
      for (const name of names) {
        const page = bundle[`${name}/index.html`];
        if (page) page.fileName = `${name}.html`;
      }
    },
  };
}
