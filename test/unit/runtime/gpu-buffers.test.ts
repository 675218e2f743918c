/** What is left on a graphics device where buffers can't be made. The device is a book of what was asked of it. */
import { expect, it } from "vitest";
import type { SessionEngine } from "../../../client/runtime/backends/engine.ts";
import { GpuBuffers, GpuFull } from "../../../client/runtime/backends/gpu-buffers.ts";

function engineThat(run: () => Promise<Record<string, unknown>>, fault: { message: string } | null = null) {
  const left = { scopes: 0, sessions: 0, tensors: 0 };
  const tensor = () => {
    left.tensors++;
    return { gpuBuffer: {}, dispose: () => left.tensors-- };
  };
  const device = { pushErrorScope: () => left.scopes++, popErrorScope: async () => (left.scopes--, fault) };
  const openNamed = async () => {
    left.sessions++;
    return { run, release: async () => left.sessions-- };
  };
  return { left, tensor, engine: { openNamed, api: { env: { webgpu: { device: Promise.resolve(device) } } } } as unknown as SessionEngine };
}

const SHAPES = [{ type: "float32", dims: [1, 4] }] as const;

it("a run that throws leaves no session open, and no scope for the errors of others", async () => {
  const { engine, left } = engineThat(async () => {
    throw new Error("the device was lost");
  });
  await expect(GpuBuffers.make(engine, SHAPES)).rejects.toThrow("the device was lost");
  expect(left).toEqual({ scopes: 0, sessions: 0, tensors: 0 });
});

it("a device without room keeps nothing either", async () => {
  const made = engineThat(async () => ({ out0: made.tensor() }), { message: "out of memory" });
  await expect(GpuBuffers.make(made.engine, SHAPES)).rejects.toBeInstanceOf(GpuFull);
  expect(made.left).toEqual({ scopes: 0, sessions: 0, tensors: 0 });
});

it("what was made stays until it is closed", async () => {
  const made = engineThat(async () => ({ out0: made.tensor() }));
  const buffers = await GpuBuffers.make(made.engine, SHAPES);
  expect(made.left).toEqual({ scopes: 0, sessions: 1, tensors: 1 });
  await buffers.close();
  expect(made.left).toEqual({ scopes: 0, sessions: 0, tensors: 0 });
});
