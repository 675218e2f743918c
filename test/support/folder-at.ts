/**
 * Serves a folder that lies outside of the project, read-only, at a path of a Vite server.
 *
 * - What isn't there is a 404, the folder itself included: a test then knows that it has to skip.
 */
import { createReadStream, statSync } from "node:fs";
import { join, sep } from "node:path";
import type { Plugin } from "vite";

/** `path`: with a slash at both ends. */
export const folderAt = (path: string, folder: string): Plugin => ({
  name: "leasehold:folder",
  configureServer(server) {
    server.middlewares.use((request, response, next) => {
      const asked = decodeURIComponent((request.url ?? "").split("?")[0] ?? "");
      if (!asked.startsWith(path)) return next();
      const file = join(folder, asked.slice(path.length));
      const found = file.startsWith(folder + sep) ? statSync(file, { throwIfNoEntry: false }) : undefined;
      if (!found?.isFile()) {
        response.statusCode = 404;
        return response.end();
      }
      response.setHeader("Content-Length", found.size);
      response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
      createReadStream(file).pipe(response);
    });
  },
});
