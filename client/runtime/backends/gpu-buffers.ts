/**
 * Memory on the GPU that onnxruntime and this worker both use, for as long as a model is open.
 *
 * - A small graph makes it: what onnxruntime gave out stays known to it, so that a recorded run finds it again. (A buffer
 *   of our own would get a new number with each run, and the second playback fails.)
 * - `tensor` is a view of any shape on its beginning. Reads, writes and copies come in order with onnxruntime's runs.
 * - `make` throws `GpuFull` where the device has no room for all of them. Whatever it throws, nothing is kept.
 */
import type { InferenceSession, Tensor } from "onnxruntime-web";
import { ELEMENT, type OnnxModel } from "../../../schema/onnx/types.ts";
import { concat } from "../../../schema/onnx/concat.ts";
import { encodeOnnx, payloadBytes } from "../../../schema/onnx/write.ts";
import { int64Tensor, nodeOf, NO_REST, tensorOf } from "../graph/tensors.ts";
import type { OrtApi, SessionEngine } from "./engine.ts";

export type GpuType = "float32" | "float16" | "int32" | "int64";

export interface GpuShape {
  readonly type: GpuType;
  readonly dims: readonly number[];
}

/** Of GPUBufferUsage and GPUMapMode, which workers' types leave out. */
const MAP_READ = 1;
const COPY_DST = 8;
const READ = 1;
/** Of what a device refuses: too much in all, or for one buffer. */
const FAULTS = ["out-of-memory", "validation"] as const;
const BYTES: Record<GpuType, number> = { float32: 4, float16: 2, int32: 4, int64: 8 };
const ELEMENTS: Record<GpuType, number> = { float32: ELEMENT.float, float16: ELEMENT.float16, int32: ELEMENT.int32, int64: ELEMENT.int64 };

/** Part of a buffer; from its beginning where nothing else is said. Whole words on the device. */
export interface Range {
  readonly buffer: GpuBuffer;
  readonly from?: number;
  readonly bytes: number;
}

/** `bytes` of one buffer that go to a place in another. */
export interface Copy extends Range {
  readonly to: GpuBuffer;
  readonly at: number;
}

export class GpuFull extends Error {}

export class GpuBuffers {
  readonly #device: GPUDevice;
  /** Owns what was made: it must be there when that is given back. */
  readonly #session: InferenceSession;
  readonly #made: readonly Tensor[];
  readonly buffers: readonly GpuBuffer[];
  #staging: GPUBuffer | null = null;

  private constructor(device: GPUDevice, session: InferenceSession, made: readonly Tensor[], buffers: readonly GpuBuffer[]) {
    this.#device = device;
    this.#session = session;
    this.#made = made;
    this.buffers = buffers;
  }

  static async make(engine: SessionEngine, shapes: readonly GpuShape[]): Promise<GpuBuffers> {
    const session = await engine.openNamed(zerosModel(shapes), { preferredOutputLocation: "gpu-buffer" });
    try {
      const device: GPUDevice = await engine.api.env.webgpu.device;
      const results = await heldTo(device, () => session.run({}));
      const made = shapes.map((_, at) => results[`out${at}`]).filter((tensor) => tensor !== undefined);
      return new GpuBuffers(device, session, made, made.map((tensor, at) => new GpuBuffer(engine.api, shapes[at]?.type ?? "float32", tensor.gpuBuffer as GPUBuffer)));
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  write(to: GpuBuffer, data: ArrayBufferView<ArrayBuffer>, at = 0): void {
    this.#device.queue.writeBuffer(to.raw, at, data);
  }

  copy(copies: readonly Copy[]): void {
    const encoder = this.#device.createCommandEncoder();
    for (const { buffer, from = 0, bytes, to, at } of copies) encoder.copyBufferToBuffer(buffer.raw, from, to.raw, at, bytes);
    this.#device.queue.submit([encoder.finish()]);
  }

  /** All in one go: going to the GPU and back costs more than the bytes. */
  async read(...reads: readonly Range[]): Promise<Uint8Array<ArrayBuffer>[]> {
    const lengths = reads.map(({ bytes }) => Math.ceil(bytes / 4) * 4);
    const size = lengths.reduce((sum, length) => sum + length, 0);
    if (!this.#staging || this.#staging.size < size) {
      this.#staging?.destroy();
      this.#staging = this.#device.createBuffer({ size: Math.max(size, 1024), usage: MAP_READ | COPY_DST });
    }
    const staging = this.#staging;
    const encoder = this.#device.createCommandEncoder();
    let at = 0;
    const places = reads.map(({ buffer, from = 0 }, index) => {
      const place = at;
      encoder.copyBufferToBuffer(buffer.raw, from, staging, place, lengths[index] ?? 0);
      at += lengths[index] ?? 0;
      return place;
    });
    this.#device.queue.submit([encoder.finish()]);
    await staging.mapAsync(READ, 0, size);
    const all = staging.getMappedRange(0, size);
    const found = reads.map(({ bytes }, index) => new Uint8Array(all.slice(places[index] ?? 0, (places[index] ?? 0) + bytes)));
    staging.unmap();
    return found;
  }

  async close(): Promise<void> {
    this.#staging?.destroy();
    for (const tensor of this.#made) tensor.dispose();
    await this.#session.release();
  }
}

export class GpuBuffer {
  readonly raw: GPUBuffer;
  readonly #api: OrtApi;
  readonly #type: GpuType;

  constructor(api: OrtApi, type: GpuType, raw: GPUBuffer) {
    this.#api = api;
    this.#type = type;
    this.raw = raw;
  }

  tensor(dims: readonly number[]): Tensor {
    return this.#api.Tensor.fromGpuBuffer(this.raw, { dataType: this.#type, dims });
  }
}

type Results = Awaited<ReturnType<InferenceSession["run"]>>;

/** What the run gives; `GpuFull` where the device refused something of it. However it ends, the device's errors are others' again. */
async function heldTo(device: GPUDevice, run: () => Promise<Results>): Promise<Results> {
  for (const filter of FAULTS) device.pushErrorScope(filter);
  const [ran] = await Promise.allSettled([run()]);
  const faults = await Promise.all(FAULTS.map(() => device.popErrorScope()));
  const fault = faults.find((error) => error !== null);
  if (fault && ran.status === "fulfilled") for (const tensor of Object.values(ran.value)) tensor.dispose();
  if (fault) throw new GpuFull(fault.message);
  if (ran.status === "rejected") throw ran.reason;
  return ran.value;
}

/** One output of zeros for each shape, spread on the GPU. */
function zerosModel(shapes: readonly GpuShape[]): Uint8Array {
  const model: OnnxModel = {
    irVersion: 8,
    opsets: [{ domain: "", version: 17 }],
    functions: [],
    rest: NO_REST,
    graph: {
      name: "zeros",
      rest: NO_REST,
      inputs: [],
      valueInfos: [],
      nodes: shapes.map((_, at) => nodeOf("Expand", `expand${at}`, [`zero${at}`, `shape${at}`], [`out${at}`])),
      initializers: shapes.flatMap(({ type, dims }, at) => [tensorOf(`zero${at}`, ELEMENTS[type], [1], new Uint8Array(BYTES[type])), int64Tensor(`shape${at}`, dims)]),
      outputs: shapes.map(({ type, dims }, at) => ({ name: `out${at}`, tensor: { elementType: ELEMENTS[type], shape: dims }, rest: NO_REST })),
    },
  };
  return concat(encodeOnnx(model).parts.map((part) => payloadBytes(part, () => NO_REST)));
}
