/**
 * The chat of the widget: React's hook on Preact, and beside the messages what only the widget shows: how far a model is
 * on its way, and what it runs on.
 */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Chat, type ChatSource, chatHook } from "../../react/chat-hook.ts";
import type { Engine, Progress } from "../../sdk/progress.ts";
import type { CallOptions } from "../../sdk/text/hold.ts";
import type { ChatChunk, ChatRequest } from "../../sdk/text/openai.ts";

export type Talk = (request: ChatRequest, options: CallOptions) => Promise<AsyncIterable<ChatChunk>>;

export interface Talking extends Chat {
  /** Of the model, until the first word comes. */
  readonly progress: Progress | null;
  readonly engine: Engine | null;
}

const useChat = chatHook({
  useState,
  useRef,
  useEffect: (effect, inputs) => useEffect(() => effect(), [...inputs]),
});

export function useTalk(talk: Talk, model: string): Talking {
  const [progress, setProgress] = useState<Progress | null>(null);
  const [engine, setEngine] = useState<Engine | null>(null);
  const source = useMemo((): ChatSource => {
    async function* watched(chunks: AsyncIterable<ChatChunk>): AsyncGenerator<ChatChunk> {
      for await (const chunk of chunks) {
        setProgress(null);
        if (chunk.leasehold) setEngine(chunk.leasehold);
        yield chunk;
      }
    }
    return {
      chat: {
        completions: {
          create: async (request, options = {}) => {
            try {
              return watched(await talk(request, { ...options, onProgress: setProgress }));
            } catch (error) {
              setProgress(null);
              throw error;
            }
          },
        },
      },
    };
  }, [talk]);
  return { ...useChat(source, { model }), progress, engine };
}
