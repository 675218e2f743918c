/**
 * From a model's name to a runtime that answers: which revision, its files, its worker.
 *
 * - A revision whose chunks are all cached is opened without asking anyone: the inference lease says later whether
 *   it is still the live one.
 * - A model is loaded once for all who wait for it. One that failed, was stopped or discarded is loaded anew by the
 *   next call.
 * - `replace` closes the runtime of a revision that is no longer live once its successor is ready.
 */
import type { ModelId, Sha256 } from "../../schema/contract/ids.ts";
import type { Backend, Manifest } from "../../schema/contract/models.ts";
import { sha256Hex } from "../cache/digest.ts";
import { fetchModel, isStored } from "../cache/fetch-model.ts";
import type { ModelStore } from "../cache/model-store.ts";
import { loadRuntime, type Runtime } from "../runtime/host.ts";
import { asLeaseholdError } from "./as-error.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { LeaseDesk } from "./lease-desk.ts";
import type { OnProgress, Progress } from "./progress.ts";
import { newRequestId } from "./request-id.ts";
import { SharedTask } from "./shared-task.ts";
import { pickVariant } from "./variants.ts";
import { parseManifest, RevisionMoved, WeightsSource } from "./weights.ts";

export interface Revision {
  readonly digest: Sha256;
  readonly manifest: Manifest;
  /** Whether it can be opened without fetching weights. */
  readonly isAtHand: boolean;
}

export interface LoadedModel extends Revision {
  readonly runtime: Runtime;
  /** "hit": no weight was fetched for it. */
  readonly cache: "hit" | "miss";
}

/** A model on its way: the revision is known first, the runtime at the end. */
export class ModelLoad extends SharedTask<LoadedModel, Progress> {
  readonly revision: Promise<Revision>;
  loaded: LoadedModel | null = null;

  constructor(work: (signal: AbortSignal, onProgress: OnProgress, onRevision: (revision: Revision) => void) => Promise<LoadedModel>) {
    const found = Promise.withResolvers<Revision>();
    super((signal, onProgress) => work(signal, onProgress, found.resolve));
    this.revision = Promise.race([found.promise, this.result]);
    this.revision.catch(() => undefined); // whoever joined hears of it
  }
}

export interface LoaderOptions {
  readonly tenant: string;
  readonly backend: "auto" | Backend;
  readonly api: ControlPlane;
  readonly desk: LeaseDesk;
  readonly store: Promise<ModelStore>;
}

export class ModelLoader {
  readonly #options: LoaderOptions;
  readonly #loads = new Map<string, ModelLoad>();

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /** The model, or its load as it goes on or begins. The caller joins it. */
  open(model: string): ModelLoad {
    const load = this.#loads.get(model);
    return load && !load.isStopped ? load : this.#begin(model, true);
  }

  /** The load of the live revision, where `stale` turned out not to be it. */
  replace(model: string, stale: LoadedModel): ModelLoad {
    const current = this.#loads.get(model);
    if (current && !current.isStopped && current.loaded !== stale) return current;
    const next = this.#begin(model, false);
    next.result.then(() => stale.runtime.close(), () => stale.runtime.close());
    return next;
  }

  /** The next call starts over. */
  discard(model: string, broken: LoadedModel): void {
    broken.runtime.close();
    if (this.#loads.get(model)?.loaded === broken) this.#loads.delete(model);
  }

  close(): void {
    for (const load of this.#loads.values()) {
      load.stop();
      load.loaded?.runtime.close();
    }
    this.#loads.clear();
  }

  #begin(model: string, mayUseCache: boolean): ModelLoad {
    const load = new ModelLoad((signal, onProgress, onRevision) => this.#load(model, mayUseCache, signal, onProgress, onRevision));
    this.#loads.set(model, load);
    load.result.then(
      (loaded) => {
        load.loaded = loaded;
      },
      () => {
        if (this.#loads.get(model) === load) this.#loads.delete(model);
      },
    );
    return load;
  }

  async #load(model: string, mayUseCache: boolean, signal: AbortSignal, onProgress: OnProgress, onRevision: (revision: Revision) => void): Promise<LoadedModel> {
    const { api, desk } = this.#options;
    const source = new WeightsSource(api, desk, model, newRequestId(), signal);
    const openRevision = async (revision: Revision) => {
      onRevision(revision);
      return this.#openRevision(revision, source, signal, onProgress);
    };
    try {
      const cached = mayUseCache ? await this.#cachedRevision(model) : null;
      if (!cached) return await openRevision(await this.#liveRevision(model, source));
      return await openRevision(cached).catch(async (error: unknown) => {
        if (!(error instanceof RevisionMoved)) throw error;
        return openRevision(await this.#liveRevision(model, source));
      });
    } catch (thrown) {
      const error = asLeaseholdError(thrown, signal);
      await source.end(error);
      throw error;
    }
  }

  async #openRevision(revision: Revision, source: WeightsSource, signal: AbortSignal, onProgress: OnProgress): Promise<LoadedModel> {
    const { store, backend } = this.#options;
    const { manifest, digest } = revision;
    if (revision.isAtHand) onProgress({ stage: "preparing", step: "files" });
    const { files, cache } = await fetchModel({
      manifest,
      variant: await pickVariant(manifest, backend),
      store: await store,
      fetchChunk: (chunk, options) => source.chunk(digest, chunk, options),
      signal,
      onProgress: revision.isAtHand ? undefined : (bytes) => onProgress({ stage: "downloading", ...bytes }),
    });
    await source.end();
    const runtime = await loadRuntime({
      task: manifest.task,
      files,
      backend,
      signal,
      onProgress: ({ stage }) => onProgress({ stage: "preparing", step: stage }),
    });
    return { ...revision, runtime, cache };
  }

  /** The revision that was last pinned, where all of it is cached. */
  async #cachedRevision(model: string): Promise<Revision | null> {
    const store = await this.#options.store;
    const digest = await store.pinnedDigest(model as ModelId);
    const text = digest && (await this.#storedText(digest));
    if (!digest || !text) return null;
    const manifest = parseManifest(text, this.#options.tenant, model);
    return (await isStored(await pickVariant(manifest, this.#options.backend), store)) ? { digest, manifest, isAtHand: true } : null;
  }

  /** The revision that the control plane pins now. */
  async #liveRevision(model: string, source: WeightsSource): Promise<Revision> {
    const store = await this.#options.store;
    const digest = (await source.lease()).grant.model.manifest_sha256;
    const text = (await this.#storedText(digest)) ?? (await source.manifestText());
    const manifest = parseManifest(text, this.#options.tenant, model);
    await store.keepManifest(model as ModelId, digest, text);
    return { digest, manifest, isAtHand: await isStored(await pickVariant(manifest, this.#options.backend), store) };
  }

  async #storedText(digest: Sha256): Promise<string | null> {
    const text = await (await this.#options.store).manifest(digest);
    return text !== null && (await sha256Hex(new TextEncoder().encode(text))) === digest ? text : null;
  }
}
