/**
 * The worker that reads, checks and writes chunks: one a tenant and page. It answers every request once, in any order.
 *
 * - It opens the tenant's folder itself: not every browser lets a page hand one on.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Chunk } from "../../schema/contract/models.ts";
import { ChunkFiles } from "./chunk-files.ts";
import { type Checked, type Form, LocalChunkWork, type Opened, type Written } from "./chunk-work.ts";
import type { Bytes } from "./seal.ts";

export type ToChunks =
  /** First, once. */
  | { readonly kind: "begin"; readonly tenant: string }
  | { readonly kind: "open"; readonly id: number; readonly chunk: Chunk; readonly form: Form; readonly mayBeDue: boolean }
  | { readonly kind: "check"; readonly id: number; readonly chunk: Chunk; readonly bytes: Bytes; readonly form: Form | null }
  | { readonly kind: "write"; readonly id: number; readonly sha256: Sha256; readonly parts: readonly Bytes[] };

export type FromChunks =
  | { readonly kind: "opened"; readonly id: number; readonly opened: Opened | null }
  | { readonly kind: "checked"; readonly id: number; readonly checked: Checked | null }
  | { readonly kind: "written"; readonly id: number; readonly written: Written }
  | { readonly kind: "failed"; readonly id: number; readonly error: unknown };

/** Of a worker's global scope, which this realm's types don't have. */
const post = (answer: FromChunks, memory: readonly Bytes[]): void => postMessage(answer, { transfer: memory.map(({ buffer }) => buffer) });
let opening: Promise<LocalChunkWork> | null = null;

addEventListener("message", ({ data }: MessageEvent<ToChunks>) => {
  if (data.kind === "begin") begin(data.tenant);
  else void serve(data).catch((error: unknown) => post({ kind: "failed", id: data.id, error }, []));
});

/** Without a folder the page does the work itself, once it hears of it. */
function begin(tenant: string): void {
  opening = ChunkFiles.open(tenant).then((files) => new LocalChunkWork(files, tenant));
  opening.catch(reportError);
}

async function serve(request: Exclude<ToChunks, { kind: "begin" }>): Promise<void> {
  const { id } = request;
  const work = await opening;
  if (!work) throw new Error("the worker was not told where the chunks are");
  switch (request.kind) {
    case "open": {
      const opened = await work.open(request.chunk, request.form, request.mayBeDue);
      return post({ kind: "opened", id, opened }, opened ? [opened.bytes] : []);
    }
    case "check": {
      const checked = await work.check(request.chunk, request.bytes, request.form);
      return post({ kind: "checked", id, checked }, checked ? [checked.bytes, ...checked.parts] : []);
    }
    case "write": {
      const written = await work.write(request.sha256, request.parts);
      return post({ kind: "written", id, written }, written.parts);
    }
  }
}
