/**
 * From a model's name to a runtime that answers: which revision, its files, its worker.
 *
 * - A revision whose chunks are all cached is opened without asking for the live one: the inference lease says later
 *   whether it is. What is cached encrypted needs the key of some lease: the caller's own, where it is about to ask.
 * - The revision in force in the cache changes once the new one runs, in one step.
 * - A model is loaded once for all who wait for it. One that failed, was stopped or discarded is loaded anew by the
 *   next call.
 * - `replace` closes the runtime of a revision that is no longer live once its successor is ready.
 */
import type { ModelId, Sha256 } from "../../schema/contract/ids.ts";
import type { Backend, Manifest } from "../../schema/contract/models.ts";
import { sha256Hex } from "../cache/digest.ts";
import { type FetchedModel, fetchModel, type FetchModelOptions, isStored } from "../cache/fetch-model.ts";
import { cacheModeOf, type Keeping } from "../cache/keeping.ts";
import type { ModelStore } from "../cache/model-store.ts";
import { LeaseholdError } from "../errors.ts";
import { memoryOf } from "../pool/policy.ts";
import type { Pool } from "../pool/pool.ts";
import { loadRuntime, type Runtime, type RuntimeFile } from "../runtime/host.ts";
import { asLeaseholdError } from "./as-error.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { LeaseDesk } from "./lease-desk.ts";
import type { OnProgress, Progress } from "./progress.ts";
import { newRequestId } from "./request-id.ts";
import { SharedTask } from "./shared-task.ts";
import { backendFor, pickVariant } from "./variants.ts";
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
  readonly fetchedBytes: number;
  /** What was here already: of an update, the part that did not change. */
  readonly cachedBytes: number;
  /** The build that was taken. */
  readonly variant: string;
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

interface LoadWish {
  readonly mayUseCache: boolean;
  readonly lease: Promise<void> | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
  readonly onRevision: (revision: Revision) => void;
}

export interface LoaderOptions {
  readonly tenant: string;
  readonly backend: "auto" | Backend;
  /** The build to take, whatever the device. */
  readonly variant?: string | undefined;
  readonly api: ControlPlane;
  readonly desk: LeaseDesk;
  readonly store: Promise<ModelStore>;
  readonly pool: Pool;
}

export class ModelLoader {
  readonly #options: LoaderOptions;
  readonly #loads = new Map<string, ModelLoad>();

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /**
   * The model, or its load as it goes on or begins. The caller joins it.
   * `lease`: settles when a lease that the caller is about to ask for has come, or won't.
   */
  open(model: string, lease?: Promise<void>): ModelLoad {
    const load = this.#loads.get(model);
    return load && !load.isStopped ? load : this.#begin(model, true, lease);
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
    if (this.#loads.get(model)?.loaded !== broken) return;
    this.#loads.delete(model);
    this.#options.pool.gone(model);
  }

  /** Ends the model's worker, or its load. */
  unload(model: string): void {
    const load = this.#loads.get(model);
    load?.stop();
    load?.loaded?.runtime.close();
    this.#loads.delete(model);
  }

  close(): void {
    for (const model of this.#loads.keys()) this.unload(model);
  }

  #begin(model: string, mayUseCache: boolean, lease?: Promise<void>): ModelLoad {
    const load = new ModelLoad((signal, onProgress, onRevision) => this.#load(model, { mayUseCache, lease, signal, onProgress, onRevision }));
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

  async #load(model: string, wish: LoadWish): Promise<LoadedModel> {
    const { api, desk } = this.#options;
    const { signal } = wish;
    const source = new WeightsSource(api, desk, model, newRequestId(), signal);
    const openRevision = (revision: Revision) => {
      wish.onRevision(revision);
      return this.#openRevision(revision, source, wish);
    };
    try {
      const cached = wish.mayUseCache ? await this.#cachedRevision(model) : null;
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

  async #openRevision(revision: Revision, source: WeightsSource, { signal, onProgress, lease }: LoadWish): Promise<LoadedModel> {
    const { backend, pool } = this.#options;
    const { manifest, digest } = revision;
    const store = await this.#options.store;
    if (revision.isAtHand) onProgress({ stage: "preparing", step: "files" });
    const variant = await pickVariant(manifest, this.#options);
    let fetched: FetchedModel | undefined;
    let isAdmitted = false;
    const weights = async (): Promise<FetchModelOptions> => ({
      manifest,
      variant,
      store,
      keeping: await this.#keeping(revision, source, lease),
      fetchChunk: (chunk, options) => source.chunk(digest, chunk, options),
      signal,
      onProgress: revision.isAtHand || isAdmitted ? undefined : (bytes) => onProgress({ stage: "downloading", ...bytes }),
    });
    const first = async () => {
      fetched = await fetchModel(await weights());
      await source.end();
      await pool.admit(manifest.model, memoryOf(variant), signal);
      isAdmitted = true;
      return fetched.files;
    };
    const selfTest = variant.self_test ?? manifest.self_test;
    const runtime = await loadRuntime({
      task: manifest.task,
      ...(selfTest && { selfTest }),
      files: filesOf(first, weights, source),
      backend: backendFor(variant, backend),
      allowControlFlow: manifest.control_flow === true,
      signal,
      // The engine starts while the files are on their way: then their progress is what there is to tell.
      onProgress: ({ stage }) => isAdmitted && onProgress({ stage: "preparing", step: stage }),
    }).catch((error: unknown) => {
      if (isAdmitted) pool.gone(manifest.model);
      throw error;
    });
    if (!fetched) throw new Error("a runtime that is loaded has asked for its files");
    pool.ready(manifest.model);
    await store.switchTo(manifest.model, digest);
    const { cache, fetchedBytes, cachedBytes } = fetched;
    if (fetchedBytes > 0) void store.askToStay().catch(() => undefined); // a browser that won't is one that may clear the cache
    return { ...revision, runtime, cache, fetchedBytes, cachedBytes, variant: variant.id };
  }

  async #keeping({ manifest, digest }: Revision, source: WeightsSource, lease: Promise<void> | undefined): Promise<Keeping> {
    const { desk } = this.#options;
    const mode = cacheModeOf(manifest);
    if (mode !== "encrypted") return { mode };
    if (!desk.hasContentKey) await lease;
    if (!desk.hasContentKey) {
      const asked = await source.lease().catch((error: unknown) => {
        if (!desk.hasContentKey) throw error; // without a network an offline lease may have brought it
      });
      if (asked && asked.grant.model.manifest_sha256 !== digest) throw new RevisionMoved();
    }
    return { mode, key: await desk.contentKey() };
  }

  /** The revision in force in the cache, where all of it is there. */
  async #cachedRevision(model: string): Promise<Revision | null> {
    const store = await this.#options.store;
    const digest = await store.revision(model as ModelId);
    const text = digest && (await this.#storedText(digest));
    if (!digest || !text) return null;
    const manifest = parseManifest(text, this.#options.tenant, model);
    return (await isStored(await pickVariant(manifest, this.#options), store)) ? { digest, manifest, isAtHand: true } : null;
  }

  /** The revision that the control plane pins now. */
  async #liveRevision(model: string, source: WeightsSource): Promise<Revision> {
    const store = await this.#options.store;
    const digest = (await source.lease()).grant.model.manifest_sha256;
    const text = (await this.#storedText(digest)) ?? (await source.manifestText());
    const manifest = parseManifest(text, this.#options.tenant, model);
    await store.keepManifest(digest, text);
    return { digest, manifest, isAtHand: await isStored(await pickVariant(manifest, this.#options), store) };
  }

  async #storedText(digest: Sha256): Promise<string | null> {
    const text = await (await this.#options.store).manifest(digest);
    return text !== null && (await sha256Hex(new TextEncoder().encode(text))) === digest ? text : null;
  }
}

/**
 * The files for each worker that gets them: read, opened and verified for it, so that none of them is held while the
 * model runs. The first time is the load's own, with its signal and its progress.
 */
function filesOf(first: () => Promise<readonly RuntimeFile[]>, weights: () => Promise<FetchModelOptions>, source: WeightsSource): () => Promise<readonly RuntimeFile[]> {
  let isFirst = true;
  return async () => {
    if (isFirst) {
      isFirst = false;
      return first();
    }
    try {
      return (await fetchModel({ ...(await weights()), signal: undefined, onProgress: undefined })).files;
    } catch (error) {
      if (error instanceof RevisionMoved) throw new LeaseholdError("model-invalid", "The cached model is damaged, and another revision is live.", { cause: error });
      throw error;
    } finally {
      await source.end();
    }
  };
}
