import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { RECORDING_EXPORTS } from "../../../client/runtime/backends/kept-module.ts";
import { REQUIRED_EXPORTS } from "../../../client/runtime/backends/ort-module.ts";
import { ORT_BUILDS, ORT_FILES, ORT_VERSION, PARTED_FILES, servedAs } from "../../../client/runtime/ort-files.ts";

const dist = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
const LARGEST_STATIC_ASSET = 25 * 1024 * 1024;

test("the version in the path is that of the installed package", () => {
  expect(JSON.parse(readFileSync(join(dist, "../package.json"), "utf8"))).toMatchObject({ version: ORT_VERSION });
});

test.each(ORT_FILES)("$name is in the package and small enough to be served", ({ of, part }) => {
  const { size } = statSync(join(dist, of));
  expect(part ? part.end - part.begin : size).toBeLessThanOrEqual(LARGEST_STATIC_ASSET);
  expect(part?.end ?? size).toBeLessThanOrEqual(size);
});

test.each(Object.entries(PARTED_FILES))("the parts of %s are the installed file, one after another", (name, { bytes, sha256 }) => {
  const whole = readFileSync(join(dist, name));
  const parts = servedAs(name).map(({ part }) => whole.subarray(part?.begin, part?.end));
  expect(parts.length).toBeGreaterThan(1);
  expect(Buffer.concat(parts).equals(whole)).toBe(true);
  expect([whole.length, createHash("sha256").update(whole).digest("hex")]).toEqual([bytes, sha256]);
});

test.each(["webgpu", "webgpu-without-jspi", "wasm"] as const)("the API of %s loads the glue beside it, and that the module", (name) => {
  const { api, glue, wasm } = ORT_BUILDS[name];
  expect(readFileSync(join(dist, api), "utf8")).toContain(glue);
  expect(readFileSync(join(dist, glue), "utf8")).toContain(wasm);
});

test("the module has every private export that the decoder is driven through", { timeout: 30_000 }, async () => {
  const glue = pathToFileURL(join(dist, ORT_BUILDS.wasm.glue)).href;
  const { default: factory } = (await import(/* @vite-ignore */ glue)) as { default: (options: object) => Promise<Record<string, unknown>> };
  const found = await factory({ numThreads: 1 });
  expect(Object.fromEntries(Object.keys(REQUIRED_EXPORTS).map((name) => [name, typeof found[name]]))).toEqual(REQUIRED_EXPORTS);
});

test.each(["webgpu", "webgpu-without-jspi"] as const)("the module for %s has every private export that lets a run be recorded", (name) => {
  const glue = readFileSync(join(dist, ORT_BUILDS[name].glue), "utf8");
  for (const name of RECORDING_EXPORTS) expect(glue).toContain(name);
});
