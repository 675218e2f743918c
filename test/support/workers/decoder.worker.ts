/**
 * A decoder on its own, for tests and benches: no tasks, no text, only tokens in and tokens out.
 *
 * - Each request has a number and is answered by a message with the same one.
 */
import { ModelFiles } from "../../../client/runtime/tasks/model-files.ts";
import { engineOnDemand, type Engine, type EngineOnDemand } from "../../../client/runtime/backends/engine.ts";
import type { Decoder, SavedSequence } from "../../../client/runtime/decode/decoder.ts";
import { openDecoder } from "../../../client/runtime/decode/open-decoder.ts";
import type { DecoderAnswer, DecoderRequest } from "./decoder-protocol.ts";

/** Counts what the browser is asked for, whoever asks. */
const MAP_READ = 1;
const asked = { bindGroups: 0, bytesRead: 0 };
if ("GPUDevice" in globalThis) {
  const { createBindGroup } = GPUDevice.prototype;
  GPUDevice.prototype.createBindGroup = function (...args) {
    asked.bindGroups++;
    return createBindGroup.apply(this, args);
  };
  const { getMappedRange } = GPUBuffer.prototype;
  GPUBuffer.prototype.getMappedRange = function (...args) {
    const range = getMappedRange.apply(this, args);
    if ((this.usage & MAP_READ) !== 0) asked.bytesRead += range.byteLength;
    return range;
  };
}

let engine: EngineOnDemand | null = null;
let decoder: Decoder | null = null;
const saved = new Map<string, SavedSequence>();
/** `null`: never; else the count of steps until one throws. */
let stepsLeft: number | null = null;

const step = async (): Promise<void> => {
  if (stepsLeft !== null && stepsLeft-- === 0) throw new Error("stopped by the test");
};

addEventListener("message", ({ data: { id, request } }: MessageEvent<{ id: number; request: DecoderRequest }>) => {
  serve(request).then(
    (answer) => postMessage({ id, answer }),
    (error: unknown) => postMessage({ id, error: error instanceof Error ? `${"code" in error ? `${String(error.code)}: ` : ""}${error.message}` : String(error) }),
  );
});

async function serve(request: DecoderRequest): Promise<DecoderAnswer> {
  switch (request.kind) {
    case "open": {
      if (request.hasBrokenKernel) breakKernel();
      const started = (engine ??= engineOnDemand({ ...request, areThreadsFixed: false }));
      if (request.isUnrecorded) engine = { ...started, start: async () => unrecorded(await started.start()) };
      decoder = await openDecoder(new ModelFiles(request.files), engine, request.options, step);
      return stateOf(decoder);
    }
    case "generate": {
      const open = opened();
      stepsLeft = request.abortAfter ?? null;
      const began = performance.now();
      const at: number[] = [];
      const ids: number[] = [];
      try {
        await open.truncate(request.keep ?? 0);
        let next = await open.feed(Int32Array.from(request.ids), step);
        for (;;) {
          const id = await next.greedy();
          ids.push(id);
          if (ids.length === 2) Object.assign(asked, { bindGroups: 0, bytesRead: 0 });
          at.push(performance.now() - began);
          if (ids.length >= request.count) break;
          next = await open.feed(Int32Array.of(id), step);
        }
      } finally {
        stepsLeft = null;
      }
      const later = Math.max(1, ids.length - 2);
      return { ...stateOf(open), ids, at, gpu: { bindGroups: asked.bindGroups / later, bytesRead: asked.bytesRead / later } };
    }
    case "candidates": {
      const next = await opened().feed(Int32Array.from(request.ids), step);
      return { ...stateOf(opened()), candidates: await next.top(request.count), logits: await next.logits() };
    }
    case "save":
      saved.set(request.name, await opened().save());
      return stateOf(opened());
    case "restore": {
      const sequence = saved.get(request.name);
      if (!sequence) throw new Error("nothing was saved under this name");
      await opened().restore(sequence);
      return stateOf(opened());
    }
    case "close":
      await opened().close();
      return stateOf(opened());
  }
}

/** As a device would whose sums are wrong: of what is compiled from here on, `add` does nothing. */
function breakKernel(): void {
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = (async (module: WebAssembly.Module, imports: WebAssembly.Imports) => {
    const made: unknown = await instantiate(module, imports);
    return made instanceof WebAssembly.Instance && "siluMul" in made.exports ? { exports: { ...made.exports, add: () => undefined } } : made;
  }) as typeof WebAssembly.instantiate;
}

/** As an engine is whose build or page lets nothing be recorded. */
const unrecorded = (from: Engine): Engine => (from.kind === "sessions" ? { ...from, openRecording: async () => null } : from);

function opened(): Decoder {
  if (!decoder) throw new Error("no model is open");
  return decoder;
}

const stateOf = ({ vocabulary, contextLength, position, memoryBytes, description }: Decoder): DecoderAnswer => ({ vocabulary, contextLength, position, memoryBytes, description });
