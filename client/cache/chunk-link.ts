/**
 * A page's end of its chunk worker.
 *
 * - The worker starts when it is first needed (or told to), and ends when it had nothing to do for `IDLE_MS`.
 * - A worker that says nothing for `SILENCE_MS` while it has something to do is replaced by another; one that can't be
 *   had, dies, or is the second that hangs, by the page itself, for good.
 * - What was in its hands then is lost: a `check` says so, at most twice for one chunk, a `write` fails; whoever asked
 *   fetches the chunk, or goes without. An `open` is done by the page.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Chunk } from "../../schema/contract/models.ts";
import type { ChunkFiles } from "./chunk-files.ts";
import { type Checked, type ChunkWork, type Form, LocalChunkWork, type Opened, type Written } from "./chunk-work.ts";
import type { FromChunks, ToChunks } from "./chunk.worker.ts";
import type { Bytes } from "./seal.ts";

const IDLE_MS = 10_000;
/** A chunk takes a second where disk and processor are slow. */
const SILENCE_MS = 30_000;

type Settle = (answer: FromChunks | null) => void;

export class ChunkLink implements ChunkWork {
  readonly #tenant: string;
  readonly #silenceMs: number;
  readonly #pending = new Map<number, Settle>();
  readonly #local: LocalChunkWork;
  #worker: Worker | null = null;
  #isBroken = false;
  #isClosed = false;
  #nextId = 1;
  #hasHung = false;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #watchdog: ReturnType<typeof setTimeout> | undefined;

  constructor(files: ChunkFiles, tenant: string, silenceMs = SILENCE_MS) {
    this.#tenant = tenant;
    this.#silenceMs = silenceMs;
    this.#local = new LocalChunkWork(files, tenant);
  }

  async open(chunk: Chunk, form: Form, mayBeDue: boolean): Promise<Opened | null> {
    const worker = this.start();
    if (!worker) return this.#local.open(chunk, form, mayBeDue);
    const answer = await this.#ask(worker, { kind: "open", id: this.#nextId++, chunk, form, mayBeDue }, []);
    if (answer === null && !this.#isClosed) return this.#local.open(chunk, form, mayBeDue);
    return answer?.kind === "opened" ? answer.opened : null;
  }

  async check(chunk: Chunk, bytes: Bytes, form: Form | null): Promise<Checked | "lost" | null> {
    const worker = this.start();
    if (!worker) return this.#local.check(chunk, bytes, form);
    const answer = await this.#ask(worker, { kind: "check", id: this.#nextId++, chunk, bytes, form }, [bytes]);
    return answer?.kind === "checked" ? answer.checked : "lost";
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
        if (worker !== this.#worker) return; // its last words
        this.#pending.get(data.id)?.(data);
        this.#rest();
      });
      for (const kind of ["error", "messageerror"]) {
        worker.addEventListener(kind, (event) => {
          event.preventDefault();
          if (worker !== this.#worker) return;
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
      this.#watch();
    });
  }

  #rest(): void {
    clearTimeout(this.#idle);
    this.#watch();
    if (this.#pending.size === 0) this.#idle = setTimeout(() => this.#end(), IDLE_MS);
  }

  /** From now on, silence means that it hangs. */
  #watch(): void {
    clearTimeout(this.#watchdog);
    if (this.#pending.size === 0) return;
    const due = performance.now() + this.#silenceMs;
    this.#watchdog = setTimeout(() => {
      // A page that slept wakes late, and so does its worker: wait again.
      if (performance.now() > due + this.#silenceMs / 2) return this.#watch();
      this.#isBroken ||= this.#hasHung;
      this.#hasHung = true;
      this.#end();
    }, this.#silenceMs);
  }

  #end(): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#watchdog);
    this.#worker?.terminate();
    this.#worker = null;
    for (const settle of this.#pending.values()) settle(null);
  }
}
