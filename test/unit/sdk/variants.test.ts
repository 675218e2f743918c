import { expect, it } from "vitest";
import { chooseVariant, type Device } from "../../../client/sdk/variants.ts";
import type { Variant } from "../../../schema/contract/models.ts";
import { published } from "./examples.ts";

const GB = 1024 ** 3;
const of = (id: string, requires: Variant["requires"]) => ({ ...(published().variants[0] as Variant), id, requires });
const manifest = {
  ...published(),
  variants: [of("f16", { backend: "webgpu", features: ["shader-f16"] }), of("gpu", { backend: "webgpu" }), of("big", { memory_bytes: 4 * GB }), of("small", {})],
};

it.each<[string, Device]>([
  ["f16", { webgpuFeatures: new Set(["shader-f16", "timestamp-query"]), memoryBytes: 8 * GB }],
  ["gpu", { webgpuFeatures: new Set(), memoryBytes: 8 * GB }],
  ["big", { webgpuFeatures: null, memoryBytes: 8 * GB }],
  ["big", { webgpuFeatures: null, memoryBytes: null }],
  ["small", { webgpuFeatures: null, memoryBytes: 2 * GB }],
])("takes %s, the first that fits the device", (id, device) => {
  expect(chooseVariant(manifest, device).id).toBe(id);
});

it("is variant-unsupported where none fits", () => {
  const demanding = { ...manifest, variants: manifest.variants.slice(0, 2) };
  expect(() => chooseVariant(demanding, { webgpuFeatures: null, memoryBytes: null })).toThrow(expect.objectContaining({ code: "variant-unsupported" }));
});
