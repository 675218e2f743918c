/**
 * Serves onnxruntime-web's files over a network that fails once: under `/ort-failing/<which>/` the first request for that
 * file of each build is answered 503. (A connection that breaks off a browser tries again by itself.)
 *
 * - In front of `ortFiles` at the same paths, which serves the rest.
 */
import type { Plugin } from "vite";
import { ORT_BUILDS, type OrtBuild } from "../../client/runtime/ort-files.ts";

/** (The module itself onnxruntime asks for twice.) */
export const FAILING: readonly (keyof OrtBuild)[] = ["api", "glue"];
export const failingPath = (which: keyof OrtBuild): string => `/ort-failing/${which}/`;

export const ortFailing = (): Plugin => ({
  name: "leasehold:ort-failing",
  configureServer(server) {
    const left = new Set(FAILING.flatMap((which) => Object.values(ORT_BUILDS).map((build) => failingPath(which) + build[which])));
    server.middlewares.use((request, response, next) => {
      if (!left.delete((request.url ?? "").split("?")[0] ?? "")) return next();
      response.writeHead(503).end();
    });
  },
});
