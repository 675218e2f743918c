/**
 * Reads one picture at a time and says how it goes.
 *
 * - A new picture stops the one before: the lease of that one is given back.
 * - Each start has an end: `onEnd` is called once with the result or the error, also when it was stopped.
 */
import { useCallback, useReducer, useRef } from "preact/hooks";
import { LeaseholdError } from "../errors.ts";
import type { ReadRequest, ReadResult } from "../sdk/read-image.ts";
import { EMPTY, nextView, type Picture, type View } from "./view.ts";

export type ReadPicture = (request: Omit<ReadRequest, "model">) => Promise<ReadResult>;
export type Ending = { readonly kind: "result"; readonly result: ReadResult } | { readonly kind: "error"; readonly error: LeaseholdError };

export interface Reader {
  readonly view: View;
  start(blob: Blob, onEnd: (ending: Ending) => void): { stop(): void };
  stop(): void;
}

export function useReader(read: ReadPicture): Reader {
  const [view, dispatch] = useReducer(nextView, EMPTY);
  const current = useRef<{ picture: Picture; stopping: AbortController } | null>(null);

  const start = useCallback(
    (blob: Blob, onEnd: (ending: Ending) => void) => {
      const before = current.current;
      const picture: Picture = { id: (before?.picture.id ?? 0) + 1, blob, url: URL.createObjectURL(blob) };
      before?.stopping.abort();
      if (before) URL.revokeObjectURL(before.picture.url);

      const stopping = new AbortController();
      current.current = { picture, stopping };
      dispatch({ kind: "started", picture });
      const run = async (): Promise<Ending> => {
        try {
          const onProgress: ReadRequest["onProgress"] = (progress) => dispatch({ kind: "progressed", picture, progress });
          const result = await read({ image: blob, signal: stopping.signal, onProgress });
          if (result.blocks.length > 0) return { kind: "result", result };
          return { kind: "error", error: new LeaseholdError("no-text-found", "No text was found in the picture.") };
        } catch (error) {
          return { kind: "error", error: error as LeaseholdError }; // the SDK throws nothing else
        }
      };
      void run().then((ending) => {
        dispatch(ending.kind === "result" ? { kind: "read", picture, result: ending.result } : { kind: "failed", picture, error: ending.error });
        onEnd(ending);
      });
      return { stop: () => stopping.abort() };
    },
    [read],
  );

  const stop = useCallback(() => current.current?.stopping.abort(), []);
  return { view, start, stop };
}
