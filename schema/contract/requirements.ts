/**
 * What a variant of a model needs of a device, and the features that it may name: a closed union.
 *
 * - A feature belongs to a backend: one of WebGPU's is a need of the adapter, one of WASM's of the browser's engine.
 * - A client takes the variants in the manifest's order; one whose feature it does not know does not fit it.
 */
import { z } from "zod";
import { positiveAmount } from "./amounts.ts";

export const backend = z.enum(["webgpu", "wasm"]);
export type Backend = z.infer<typeof backend>;

/** Each feature with the backend that has it. WebGPU's are named as `GPUAdapter.features` names them. */
export const FEATURES = {
  "shader-f16": "webgpu",
  subgroups: "webgpu",
  "wasm-simd": "wasm",
  "wasm-relaxed-simd": "wasm",
  "wasm-threads": "wasm",
  "wasm-jspi": "wasm",
} as const satisfies Record<string, Backend>;
export type Feature = keyof typeof FEATURES;

export const feature = z.enum(Object.keys(FEATURES) as [Feature, ...Feature[]]);

/** An empty object fits every device. */
export const requirements = z
  .strictObject({
    backend: backend.optional().meta({ description: "Left out: either." }),
    features: z
      .array(feature)
      .max(Object.keys(FEATURES).length)
      .refine((features) => new Set(features).size === features.length, "each feature once")
      .optional(),
    memory_bytes: positiveAmount.optional().meta({ description: "Memory that the loaded model takes, weights and working space together." }),
    buffer_bytes: positiveAmount.optional().meta({ description: "WebGPU: the largest storage buffer that it binds (maxStorageBufferBindingSize)." }),
  })
  .superRefine((needs, ctx) => {
    const other = needs.backend && needs.features?.find((name) => FEATURES[name] !== needs.backend);
    if (other) ctx.addIssue({ code: "custom", path: ["features"], message: `${other} is a feature of ${FEATURES[other]}, and the variant is for ${needs.backend}` });
    if (needs.buffer_bytes !== undefined && needs.backend !== "webgpu") ctx.addIssue({ code: "custom", path: ["buffer_bytes"], message: "only a variant for webgpu binds storage buffers" });
  })
  .meta({ id: "Requirements" });
export type Requirements = z.infer<typeof requirements>;
