/**
 * Serves onnxruntime-web's files as another version might be: the first module that a worker starts has lost an export.
 * (The API's own module, started after that, is whole: else there would be nothing to go on with.)
 *
 * - In front of `ortFiles` at the same path, which serves the rest.
 */
import type { Plugin } from "vite";
import { ORT_BUILDS, ORT_PATH } from "../../client/runtime/ort-files.ts";

export const LACKING_PATH = "/ort-lacking/";

const GLUE = `import make from "${ORT_PATH}${ORT_BUILDS.wasm.glue}";
let isFirst = true;
export default async (options) => {
  const module = await make(options);
  if (isFirst) delete module._OrtRun;
  isFirst = false;
  return module;
};
`;

export const ortLacking = (): Plugin => ({
  name: "leasehold:ort-lacking",
  configureServer(server) {
    server.middlewares.use((request, response, next) => {
      if ((request.url ?? "").split("?")[0] !== LACKING_PATH + ORT_BUILDS.wasm.glue) return next();
      response.setHeader("Content-Type", "text/javascript");
      response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
      response.end(GLUE);
    });
  },
});
