/**
 * Which files of onnxruntime-web's `dist` folder the runtime loads, and from where. Plain data: Node may import it.
 *
 * - They are served as they are, not bundled: their own code finds its parts next to itself.
 * - A static asset may have 25 MiB. The module of the asyncify build has more: it is served in parts, which whoever loads
 *   it joins (`backends/join-parts.ts`).
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

/** A file that is served in parts. */
export interface PartedFile {
  readonly bytes: number;
  /** Of the whole, in hex. */
  readonly sha256: string;
}

/** What is served under `name`: the file `of` of the `dist` folder, or a part of it. */
export interface ServedFile {
  readonly name: string;
  readonly of: string;
  readonly part?: FilePart;
}

interface FilePart {
  readonly begin: number;
  readonly end: number;
}

export const ORT_BUILDS: Record<Backend | "webgpu-without-jspi", OrtBuild> = {
  webgpu: { api: "ort.jspi.min.mjs", glue: "ort-wasm-simd-threaded.jspi.mjs", wasm: "ort-wasm-simd-threaded.jspi.wasm" },
  "webgpu-without-jspi": { api: "ort.webgpu.min.mjs", glue: "ort-wasm-simd-threaded.asyncify.mjs", wasm: "ort-wasm-simd-threaded.asyncify.wasm" },
  wasm: { api: "ort.wasm.min.mjs", glue: "ort-wasm-simd-threaded.mjs", wasm: "ort-wasm-simd-threaded.wasm" },
};

/** By name; what isn't here is served whole. */
export const PARTED_FILES: Readonly<Record<string, PartedFile>> = {
  "ort-wasm-simd-threaded.asyncify.wasm": { bytes: 26_781_914, sha256: "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da" },
};

const PART_BYTES = 16 * 1024 * 1024;

/** In order. They keep the ending: what serves them compresses by it. */
export function servedAs(of: string): readonly ServedFile[] {
  const parted = PARTED_FILES[of];
  if (!parted) return [{ name: of, of }];
  return Array.from({ length: Math.ceil(parted.bytes / PART_BYTES) }, (_, at) => ({
    name: of.replace(/\.wasm$/, `.part${at + 1}.wasm`),
    of,
    part: { begin: at * PART_BYTES, end: Math.min(parted.bytes, (at + 1) * PART_BYTES) },
  }));
}

export const ORT_FILES: readonly ServedFile[] = Object.values(ORT_BUILDS).flatMap(({ api, glue, wasm }) => [api, glue, wasm].flatMap(servedAs));

/** The path under the operator's origin. */
export const ORT_PATH = `/assets/ort/${ORT_VERSION}/`;
