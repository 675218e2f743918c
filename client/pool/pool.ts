/**
 * The models of one tenant that are kept warm in this page, within a budget of memory. A pool knows nothing of other
 * tenants' pools: none evicts, queues or slows what another holds.
 *
 * - `admit` makes room before a model takes it; where only models at work could give way, it waits for them.
 * - Calls of one model run one at a time, by priority; calls of two models run side by side.
 * - A model that nobody has called for `idleMs` leaves by itself, unless it is pinned.
 * - `unload` is the owner's: it ends the model's worker, which gives all its memory back.
 */
import { LeaseholdError } from "../errors.ts";
import { decideAdmission, type Resident } from "./policy.ts";
import { type Priority, Turns } from "./turns.ts";

export interface PoolOptions {
  readonly budgetBytes: number;
  readonly idleMs: number;
  /** Ends the model's worker. Called for models that are not at work. */
  readonly unload: (model: string) => void;
}

export interface PooledModel {
  readonly model: string;
  readonly state: "loading" | "ready" | "running";
  /** What it is reckoned to take. */
  readonly bytes: number;
  readonly pinned: boolean;
  /** Calls that wait for their turn. */
  readonly waiting: number;
}

export interface CallOptions {
  readonly priority?: Priority;
  readonly signal?: AbortSignal;
}

/** Gives back what was taken, once. Where the model has left meanwhile, nothing: it may be here anew. */
export type GiveBack = () => void;

interface Warm {
  bytes: number;
  usedAt: number;
  isLoading: boolean;
  idle?: ReturnType<typeof setTimeout> | undefined;
}

export class Pool {
  readonly #options: PoolOptions;
  readonly #warm = new Map<string, Warm>();
  readonly #turns = new Map<string, Turns>();
  /** Calls under way, by model. */
  readonly #calls = new Map<string, number>();
  readonly #pinned = new Set<string>();
  readonly #onRoom = new Set<() => void>();
  #clock = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Before a model takes memory. Its place is kept until `gone`, or until what this gives is called. */
  admit(model: string, bytes: number, signal?: AbortSignal): Promise<GiveBack> {
    return this.#makeRoom(model, () => bytes, signal, () => {
      clearTimeout(this.#warm.get(model)?.idle);
      this.#warm.set(model, { bytes, usedAt: ++this.#clock, isLoading: true });
      return this.giveBackOf(model);
    });
  }

  /** Before a model that is here takes that much more: its next revision is loaded beside it. Rejects where it has left meanwhile. */
  admitBeside(model: string, more: number, signal?: AbortSignal): Promise<GiveBack> {
    const present = () => {
      const warm = this.#warm.get(model);
      if (!warm) throw new LeaseholdError("aborted", `${model} was unloaded.`);
      return warm;
    };
    return this.#makeRoom(model, () => present().bytes + more, signal, () => {
      present().bytes += more;
      return this.giveBackOf(model, more);
    });
  }

  /** For when a part of what the model takes now has ended, or, where `bytes` are not stated, all of it. */
  giveBackOf(model: string, bytes?: number): GiveBack {
    const warm = this.#warm.get(model);
    return () => {
      if (!warm || this.#warm.get(model) !== warm) return;
      if (bytes === undefined) return this.gone(model);
      warm.bytes -= bytes;
      this.#makeKnown();
    };
  }

  /** It is loaded. */
  ready(model: string): void {
    const warm = this.#warm.get(model);
    if (!warm) return;
    warm.isLoading = false;
    this.#rest(model);
  }

  /** It takes no memory any more: unloaded, or it never came to be. */
  gone(model: string): void {
    clearTimeout(this.#warm.get(model)?.idle);
    this.#warm.delete(model);
    this.#makeKnown();
  }

  /** Keeps the model from leaving, from before it is loaded until what this gives is called. */
  hold(model: string): () => void {
    this.#calls.set(model, (this.#calls.get(model) ?? 0) + 1);
    clearTimeout(this.#warm.get(model)?.idle);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const left = (this.#calls.get(model) ?? 1) - 1;
      if (left > 0) this.#calls.set(model, left);
      else this.#calls.delete(model);
      const warm = this.#warm.get(model);
      if (warm) warm.usedAt = ++this.#clock;
      if (left === 0) this.#rest(model);
    };
  }

  /** Runs `work` when it is this call's turn on the model. */
  async run<T>(model: string, { priority, signal }: CallOptions, work: () => Promise<T>): Promise<T> {
    const turns = this.#turns.get(model) ?? new Turns();
    this.#turns.set(model, turns);
    const release = this.hold(model);
    try {
      const over = await turns.take(priority, signal);
      try {
        return await work();
      } finally {
        over();
      }
    } finally {
      release();
    }
  }

  /** After what runs and waits now. */
  async unload(model: string, signal?: AbortSignal): Promise<void> {
    this.#pinned.delete(model);
    await this.run(model, { priority: "low", ...(signal && { signal }) }, async () => {
      if (this.#warm.has(model)) this.#leave(model);
    });
  }

  pin(model: string): void {
    this.#pinned.add(model);
    clearTimeout(this.#warm.get(model)?.idle);
  }

  unpin(model: string): void {
    this.#pinned.delete(model);
    this.#rest(model);
  }

  list(): PooledModel[] {
    return [...this.#warm].map(([model, { bytes, isLoading }]) => ({
      model,
      state: isLoading ? "loading" : this.#turns.get(model)?.isIdle === false ? "running" : "ready",
      bytes,
      pinned: this.#pinned.has(model),
      waiting: this.#turns.get(model)?.waiting ?? 0,
    }));
  }

  close(): void {
    for (const { idle } of this.#warm.values()) clearTimeout(idle);
    this.#warm.clear();
    this.#makeKnown();
  }

  /** `come` takes the room in the very step that finds it. */
  async #makeRoom(model: string, bytesNow: () => number, signal: AbortSignal | undefined, come: () => GiveBack): Promise<GiveBack> {
    for (;;) {
      if (signal?.aborted) throw stopped(signal);
      const bytes = bytesNow();
      const others = [...this.#warm].filter(([name]) => name !== model).map(([name, warm]) => this.#resident(name, warm));
      const admission = decideAdmission(others, bytes, this.#options.budgetBytes);
      switch (admission.kind) {
        case "come":
          for (const name of admission.leave) this.#leave(name);
          return come();
        case "wait":
          await this.#room(signal);
          break;
        case "full":
          throw new LeaseholdError("pool-full", `There is no room for ${model}: what is pinned leaves ${megabytes(this.#options.budgetBytes - this.#pinnedBytes())} of ${megabytes(this.#options.budgetBytes)}, and it needs ${megabytes(bytes)}. Unpin a model first.`);
      }
    }
  }

  #resident(model: string, { bytes, usedAt, isLoading }: Warm): Resident {
    return { model, bytes, usedAt, isPinned: this.#pinned.has(model), isBusy: isLoading || this.#calls.has(model) };
  }

  #leave(model: string): void {
    this.#options.unload(model);
    this.gone(model);
  }

  /** Nobody calls it now. */
  #rest(model: string): void {
    const warm = this.#warm.get(model);
    if (warm && !warm.isLoading && !this.#calls.has(model) && !this.#pinned.has(model)) {
      clearTimeout(warm.idle);
      warm.idle = setTimeout(() => this.#leave(model), this.#options.idleMs);
    }
    this.#makeKnown();
  }

  #makeKnown(): void {
    for (const wake of this.#onRoom) wake();
  }

  #room(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#onRoom.delete(end);
        signal?.removeEventListener("abort", end);
        if (signal?.aborted) reject(stopped(signal));
        else resolve();
      };
      this.#onRoom.add(end);
      signal?.addEventListener("abort", end, { once: true });
    });
  }

  #pinnedBytes(): number {
    return [...this.#warm].reduce((total, [model, { bytes }]) => total + (this.#pinned.has(model) ? bytes : 0), 0);
  }
}

const stopped = (signal: AbortSignal) => new LeaseholdError("aborted", "Stopped.", { cause: signal.reason });
const megabytes = (bytes: number) => `${Math.max(0, Math.round(bytes / 1e6))} MB`;
