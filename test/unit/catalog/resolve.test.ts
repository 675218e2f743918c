/** What a derived revision is made of. */
import { expect, test } from "vitest";
import { derivationCreate } from "../../../schema/contract/catalog.ts";
import type { Manifest, ModelFile } from "../../../schema/contract/models.ts";
import { derivedBody, grantedBody } from "../../../worker/catalog/resolve.ts";

const file = (path: string, fill: string): ModelFile => ({ path, size: 1, sha256: fill.repeat(64), chunks: [{ sha256: fill.repeat(64), size: 1 }] }) as ModelFile;
const PRICES = { input_nanos_per_token: 1, output_nanos_per_token: 2 };
const BASE = { model: "base", revision: `rev_${"0".repeat(24)}` };
const manifest = {
  schema: 1, tenant: "_catalog", ...BASE, task: "embeddings", usage: { measure: "text-tokens" }, cache: "plain", licence: "MIT", self_test: { kind: "embedding", text: "x", values: [1] },
  variants: [
    { id: "q4", requires: { backend: "webgpu" }, files: [file("onnx/model_q4.onnx", "1"), file("config.json", "2")] },
    { id: "int8", requires: {}, files: [file("onnx/model_int8.onnx", "3"), file("config.json", "2")] },
  ],
} as unknown as Manifest;
const derive = (more: object) => derivedBody(manifest, derivationCreate.parse({ base: BASE, files: [file("config.json", "a")], prices: PRICES, ...more }));
const filesOf = (result: ReturnType<typeof derive>) => {
  if (!result.ok) throw new Error(result.refusal.detail);
  return Object.fromEntries(result.value.variants.map(({ id, files }) => [id, files.map(({ path, sha256 }) => `${path} ${sha256?.[0]}`)]));
};

test("a file takes the place of the base's where there is one, and is added everywhere where there is none", () => {
  expect(filesOf(derive({ files: [file("config.json", "a"), file("onnx/model_q4.onnx", "b"), file("adapter.bin", "c")] }))).toEqual({
    q4: ["onnx/model_q4.onnx b", "config.json a", "adapter.bin c"],
    int8: ["onnx/model_int8.onnx 3", "config.json a", "adapter.bin c"],
  });
});

test("of the base's variants those named are kept; one that it does not have is refused", () => {
  expect(Object.keys(filesOf(derive({ variants: ["int8"] })))).toEqual(["int8"]);
  expect(derive({ variants: ["int8", "fp64"] })).toMatchObject({ ok: false, refusal: { code: "invalid-request" } });
});

test("what it does not state is the base's, but for its self-test", () => {
  expect(derive({ licence: "Apache-2.0" })).toMatchObject({ ok: true, value: { base: BASE, task: "embeddings", usage: { measure: "text-tokens" }, cache: "plain", licence: "Apache-2.0", prices: PRICES, variants: [{ requires: { backend: "webgpu" } }, {}] } });
  const plain = derive({});
  expect(plain.ok && "self_test" in plain.value).toBe(false);
});

test("a revision that would be none is refused", () => {
  const many = Array.from({ length: 256 }, (_, at) => file(`${at}.bin`, "d"));
  expect(derive({ files: many })).toMatchObject({ ok: false, refusal: { code: "invalid-request" } });
});

test("each path may be named once", () => {
  expect(derivationCreate.safeParse({ base: BASE, files: [file("a", "1"), file("a", "2")], prices: PRICES }).success).toBe(false);
});

test("a grant is the base as it is, under the operator's prices", () => {
  const body = grantedBody(manifest, PRICES);
  expect(body).toMatchObject({ base: BASE, prices: PRICES, self_test: manifest.self_test, variants: manifest.variants });
  expect(body).not.toHaveProperty("tenant");
});
