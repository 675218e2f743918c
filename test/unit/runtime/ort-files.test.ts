import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { RECORDING_EXPORTS } from "../../../client/runtime/backends/kept-module.ts";
import { REQUIRED_EXPORTS } from "../../../client/runtime/backends/ort-module.ts";
import { ORT_BUILDS, ORT_FILES, ORT_VERSION } from "../../../client/runtime/ort-files.ts";

const dist = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
const LARGEST_STATIC_ASSET = 25 * 1024 * 1024;

test("the version in the path is that of the installed package", () => {
  expect(JSON.parse(readFileSync(join(dist, "../package.json"), "utf8"))).toMatchObject({ version: ORT_VERSION });
});

test.each(ORT_FILES)("%s is in the package and small enough to be served", (name) => {
  expect(statSync(join(dist, name)).size).toBeLessThanOrEqual(LARGEST_STATIC_ASSET);
});

test("the module has every private export that the decoder is driven through", () => {
  const glue = readFileSync(join(dist, ORT_BUILDS.wasm.glue), "utf8");
  for (const name of Object.keys(REQUIRED_EXPORTS)) expect(glue).toContain(name);
});

test("the module for WebGPU has every private export that lets a run be recorded", () => {
  const glue = readFileSync(join(dist, ORT_BUILDS.webgpu.glue), "utf8");
  for (const name of RECORDING_EXPORTS) expect(glue).toContain(name);
});
