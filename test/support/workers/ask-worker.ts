/** The page's end of `decoder.worker.ts`. */
import type { DecoderAnswer, DecoderRequest } from "./decoder-protocol.ts";

export interface DecoderWorker {
  ask(request: DecoderRequest): Promise<DecoderAnswer>;
  end(): void;
}

export function startDecoderWorker(): DecoderWorker {
  const worker = new Worker(new URL("./decoder.worker.ts", import.meta.url), { type: "module" });
  const waiting = new Map<number, PromiseWithResolvers<DecoderAnswer>>();
  let nextId = 0;
  worker.addEventListener("message", ({ data: { id, answer, error } }: MessageEvent<{ id: number; answer?: DecoderAnswer; error?: string }>) => {
    const pending = waiting.get(id);
    waiting.delete(id);
    if (answer) pending?.resolve(answer);
    else pending?.reject(new Error(error));
  });
  worker.addEventListener("error", ({ message }) => {
    for (const pending of waiting.values()) pending.reject(new Error(`the worker failed: ${message}`));
  });
  return {
    ask(request) {
      const pending = Promise.withResolvers<DecoderAnswer>();
      const id = nextId++;
      waiting.set(id, pending);
      worker.postMessage({ id, request });
      return pending.promise;
    },
    end: () => worker.terminate(),
  };
}
