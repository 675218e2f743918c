/** The small decoder that lies next to the checkout, and what it is known to answer. */
import { inject } from "vitest";
import type { StoredFile } from "../../../client/runtime/protocol.ts";

declare module "vitest" {
  interface ProvidedContext {
    isCi: boolean;
  }
}

export interface StoriesCase {
  readonly prompt: string;
  readonly text: string;
  readonly prompt_ids: readonly number[];
  readonly output_ids: readonly number[];
}

export interface Stories {
  readonly files: readonly StoredFile[];
  readonly cases: readonly StoriesCase[];
}

/** `null` where the folder isn't there; on CI that is an error. */
export async function stories(): Promise<Stories | null> {
  const files = await Promise.all(["config.json", "tokenizer.json", "tokenizer_config.json", "onnx/model.onnx"].map(async (path) => ({ path, answer: await fetch(`/models/tinystories-260K/${path}`) })));
  const expected = await fetch("/models/expected/tinystories.json");
  if (!expected.ok || files.some(({ answer }) => !answer.ok)) {
    if (inject("isCi")) throw new Error("the models next to the checkout are missing");
    return null;
  }
  const { cases } = (await expected.json()) as { cases: StoriesCase[] };
  return { files: await Promise.all(files.map(async ({ path, answer }) => ({ path, blob: await answer.blob() }))), cases };
}
