/**
 * The files for each worker that gets them: read, opened and verified for it, so that none of them is held while the
 * model runs. The first time is the load's own, with its signal and its progress.
 */
import { type FetchedModel, fetchModel, type FetchModelOptions } from "../cache/fetch-model.ts";
import { LeaseholdError } from "../errors.ts";
import type { GivenFiles } from "../runtime/host.ts";
import { RevisionMoved, type WeightsSource } from "./weights.ts";

/** `inAll`: is told of every time but the first. */
export function filesOf(first: () => Promise<GivenFiles>, weights: () => Promise<FetchModelOptions>, source: WeightsSource, inAll: FetchedInAll): () => Promise<GivenFiles> {
  let isFirst = true;
  return async () => {
    if (isFirst) {
      isFirst = false;
      return first();
    }
    try {
      return inAll.add(await fetchModel({ ...(await weights()), signal: undefined, onProgress: undefined })).files;
    } catch (error) {
      if (error instanceof RevisionMoved) throw new LeaseholdError("model-invalid", "The cached model is damaged, and another revision is live.", { cause: error });
      throw error;
    } finally {
      await source.end();
    }
  };
}

/** What a load has fetched in all, where its files were asked for more than once. What was here and had to be fetched all the same was not. */
export class FetchedInAll {
  #fetchedBytes = 0;
  #totalBytes = 0;
  #kept: Promise<unknown> = Promise.resolve();

  add<F extends Omit<FetchedModel, "files">>(fetched: F): F {
    this.#fetchedBytes += fetched.fetchedBytes;
    this.#totalBytes = fetched.fetchedBytes + fetched.cachedBytes;
    this.#kept = Promise.all([this.#kept, fetched.kept]);
    return fetched;
  }

  /** As of a fetched model. */
  get kept(): Promise<unknown> {
    return this.#kept;
  }

  get sums(): Pick<FetchedModel, "cache" | "fetchedBytes" | "cachedBytes"> {
    return { cache: this.#fetchedBytes === 0 ? "hit" : "miss", fetchedBytes: this.#fetchedBytes, cachedBytes: Math.max(0, this.#totalBytes - this.#fetchedBytes) };
  }
}
