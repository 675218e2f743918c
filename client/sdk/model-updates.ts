/**
 * Updates on their way: a revision that is fetched, verified and loaded beside the one that runs.
 *
 * - One at a time of a model. One that failed changes nothing, and is tried again by a call after `RETRY_MS` at the earliest.
 */
import type { LeaseholdError } from "../errors.ts";
import { asLeaseholdError } from "./as-error.ts";

/** What came of an update. */
export interface ModelUpdate {
  readonly model: string;
  readonly revision: string;
  readonly fetchedBytes: number;
  /** What had not changed, and was here already. */
  readonly cachedBytes: number;
}

export interface UpdateFailure {
  readonly model: string;
  readonly error: LeaseholdError;
}

export interface UpdateEvents {
  readonly onUpdate: (update: ModelUpdate) => void;
  readonly onUpdateFailed: (failure: UpdateFailure) => void;
}

const RETRY_MS = 10 * 60_000;

export class ModelUpdates {
  readonly #events: UpdateEvents;
  readonly #underWay = new Map<string, AbortController>();
  readonly #retryAt = new Map<string, number>();

  constructor(events: UpdateEvents) {
    this.#events = events;
  }

  /** `work` gives null where there was nothing to do any more. */
  begin(model: string, work: (signal: AbortSignal) => Promise<ModelUpdate | null>): void {
    if (this.#underWay.has(model) || performance.now() < (this.#retryAt.get(model) ?? 0)) return;
    const stop = new AbortController();
    this.#underWay.set(model, stop);
    void work(stop.signal)
      .then(
        (update) => update && this.#events.onUpdate(update),
        (thrown: unknown) => {
          if (stop.signal.aborted) return;
          this.#retryAt.set(model, performance.now() + RETRY_MS);
          this.#events.onUpdateFailed({ model, error: asLeaseholdError(thrown) });
        },
      )
      .finally(() => {
        if (this.#underWay.get(model) === stop) this.#underWay.delete(model);
      });
  }

  stop(model: string): void {
    this.#underWay.get(model)?.abort();
    this.#underWay.delete(model);
  }
}
