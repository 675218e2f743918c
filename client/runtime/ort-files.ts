/**
 * Which files of onnxruntime-web's `dist` folder the runtime loads, and from where. Plain data: Node may import it.
 *
 * - They are served as they are, not bundled: their own code finds its parts next to itself.
 * - The asyncify build of WebGPU is left out: 26.8 MB, and a static asset may have 25 MiB.
 * - The version is in the path, so the files may be cached for ever; a test holds it to the installed package.
 */
import type { Backend } from "../../schema/contract/models.ts";

export const ORT_VERSION = "1.30.0";

export interface OrtBuild {
  /** The JavaScript API. It imports `glue`, which fetches `wasm`, both from the same folder. */
  readonly api: string;
  readonly glue: string;
  readonly wasm: string;
}

export const ORT_BUILDS: Record<Backend, OrtBuild> = {
  webgpu: { api: "ort.jspi.min.mjs", glue: "ort-wasm-simd-threaded.jspi.mjs", wasm: "ort-wasm-simd-threaded.jspi.wasm" },
  wasm: { api: "ort.wasm.min.mjs", glue: "ort-wasm-simd-threaded.mjs", wasm: "ort-wasm-simd-threaded.wasm" },
};

export const ORT_FILES: readonly string[] = Object.values(ORT_BUILDS).flatMap(({ api, glue, wasm }) => [api, glue, wasm]);

/** The path under the operator's origin. */
export const ORT_PATH = `/assets/ort/${ORT_VERSION}/`;
