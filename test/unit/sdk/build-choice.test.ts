import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LeaseholdError } from "../../../client/errors.ts";
import { BuildChoice } from "../../../client/sdk/build-choice.ts";
import type { Variant } from "../../../schema/contract/models.ts";
import { published } from "./examples.ts";

const of = (id: string, requires: Variant["requires"]) => ({ ...(published().variants[0] as Variant), id, requires });
const both = { ...published(), variants: [of("gpu", { backend: "webgpu" }), of("cpu", {})] };
const gpuAlone = { ...published(), variants: [of("gpu", { backend: "webgpu" })] };
const unavailable = new LeaseholdError("backend-unavailable", "WebGPU could not be started.");

beforeEach(() => {
  const info = { description: "A card", architecture: "", isFallbackAdapter: false };
  vi.stubGlobal("WebAssembly", { validate: () => true, Suspending: () => undefined });
  vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => ({ info, features: new Set(), limits: { maxStorageBufferBindingSize: 2 ** 31 } }) } });
});
afterEach(() => void vi.unstubAllGlobals());

it("passes over a build for WebGPU that did not start, of that model and no other", async () => {
  const choice = new BuildChoice({ backend: "auto" });
  expect((await choice.of(both)).id).toBe("gpu");
  expect(await choice.passOver(both, unavailable)).toBe(true);
  expect((await choice.of(both)).id).toBe("cpu");
  expect((await choice.of({ ...both, model: "another" as typeof both.model })).id).toBe("gpu");
  expect(await choice.passOver(both, unavailable)).toBe(false);
});

it("passes over a build for WebGPU that ran, where it is not to be had any more", async () => {
  const choice = new BuildChoice({ backend: "auto" });
  expect(await choice.passOver(both, unavailable, "cpu")).toBe(false);
  expect(choice.gpuFault(both)).toBe(undefined);
  expect(await choice.passOver(both, unavailable, "gpu")).toBe(true);
  expect(choice.gpuFault(both)).toBe("WebGPU could not be started");
  expect((await choice.of(both)).id).toBe("cpu");
});

describe("stays with what it has", () => {
  it.each<[string, unknown]>([
    ["a call that was stopped", new LeaseholdError("aborted", "Stopped.")],
    ["a model that is none", new LeaseholdError("model-invalid", "It has no .onnx file.")],
    ["an error of another kind", new Error("backend-unavailable")],
  ])("after %s", async (_, error) => {
    const choice = new BuildChoice({ backend: "auto" });
    expect(await choice.passOver(both, error)).toBe(false);
    expect((await choice.of(both)).id).toBe("gpu");
  });

  it("where WebGPU, or the build, was asked for by name, or there is no other", async () => {
    expect(await new BuildChoice({ backend: "webgpu" }).passOver(both, unavailable)).toBe(false);
    expect(await new BuildChoice({ backend: "auto", variant: "gpu" }).passOver(both, unavailable)).toBe(false);
    expect(await new BuildChoice({ backend: "auto" }).passOver(gpuAlone, unavailable)).toBe(false);
  });
});
