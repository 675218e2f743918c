/**
 * A page's end of its chunk worker.
 *
 * - The worker starts when it is first needed (or told to), and ends when it had nothing to do for `IDLE_MS`.
 * - A worker that can't be had, or dies, is replaced by the page itself, for good. What was in its hands then is lost: an
 *   `open` finds nothing, a `check` nothing good, a `write` fails; whoever asked fetches the chunk, or goes without.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Chunk } from "../../schema/contract/models.ts";
import type { ChunkFiles } from "./chunk-files.ts";
import { type Checked, type ChunkWork, type Form, LocalChunkWork, type Written } from "./chunk-work.ts";
import type { FromChunks, ToChunks } from "./chunk.worker.ts";
import type { Bytes } from "./seal.ts";

const IDLE_MS = 10_000;

type Settle = (answer: FromChunks | null) => void;

export class ChunkLink implements ChunkWork {
  readonly #tenant: string;
  readonly #pending = new Map<number, Settle>();
  readonly #local: LocalChunkWork;
  #worker: Worker | null = null;
  #isBroken = false;
  #isClosed = false;
  #nextId = 1;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(files: ChunkFiles, tenant: string) {
    this.#tenant = tenant;
    this.#local = new LocalChunkWork(files, tenant);
  }

  async open(chunk: Chunk, form: Form): Promise<Bytes | null> {
    const worker = this.start();
    if (!worker) return this.#local.open(chunk, form);
    const answer = await this.#ask(worker, { kind: "open", id: this.#nextId++, chunk, form }, []);
    return answer?.kind === "opened" ? answer.bytes : null;
  }

  async check(chunk: Chunk, bytes: Bytes, form: Form | null): Promise<Checked | null> {
    const worker = this.start();
    if (!worker) return this.#local.check(chunk, bytes, form);
    const answer = await this.#ask(worker, { kind: "check", id: this.#nextId++, chunk, bytes, form }, [bytes]);
    return answer?.kind === "checked" ? answer.checked : null;
  }

  async write(sha256: Sha256, parts: readonly Bytes[]): Promise<Written> {
    const worker = this.start();
    if (!worker) return this.#local.write(sha256, parts);
    const answer = await this.#ask(worker, { kind: "write", id: this.#nextId++, sha256, parts }, parts);
    return answer?.kind === "written" ? answer.written : { error: new Error("the chunk worker ended"), parts: [] };
  }

  /** Null where there is none to be had. */
  start(): Worker | null {
    if (this.#isBroken || this.#isClosed || typeof Worker === "undefined") return null;
    if (this.#worker) return this.#worker;
    try {
      const worker = new Worker(new URL("./chunk.worker.ts", import.meta.url), { type: "module", name: "leasehold chunks" });
      worker.addEventListener("message", ({ data }: MessageEvent<FromChunks>) => {
        this.#pending.get(data.id)?.(data);
        this.#rest();
      });
      for (const kind of ["error", "messageerror"]) {
        worker.addEventListener(kind, (event) => {
          event.preventDefault();
          this.#isBroken = true;
          this.#end();
        });
      }
      worker.postMessage({ kind: "begin", tenant: this.#tenant } satisfies ToChunks);
      this.#worker = worker;
      this.#rest();
    } catch {
      this.#isBroken = true; // a page whose policy forbids it
    }
    return this.#worker;
  }

  close(): void {
    this.#isClosed = true;
    this.#end();
  }

  #ask(worker: Worker, request: Exclude<ToChunks, { kind: "begin" }>, memory: readonly Bytes[]): Promise<FromChunks | null> {
    clearTimeout(this.#idle);
    return new Promise((resolve, reject) => {
      this.#pending.set(request.id, (answer) => {
        this.#pending.delete(request.id);
        if (answer?.kind === "failed") reject(answer.error as Error);
        else resolve(answer);
      });
      worker.postMessage(request, memory.map(({ buffer }) => buffer));
    });
  }

  #rest(): void {
    clearTimeout(this.#idle);
    if (this.#pending.size === 0) this.#idle = setTimeout(() => this.#end(), IDLE_MS);
  }

  #end(): void {
    clearTimeout(this.#idle);
    this.#worker?.terminate();
    this.#worker = null;
    for (const settle of this.#pending.values()) settle(null);
  }
}
