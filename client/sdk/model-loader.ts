/**
 * From a model's name to a runtime that answers: which revision, its files, its worker.
 *
 * - A revision whose chunks are all cached is opened without asking which is in force: the inference lease says later
 *   whether it still is. What is cached encrypted needs the key of some lease: the caller's own, where it is about to ask.
 * - The revision in force in the cache changes once the new one runs, in one step.
 * - A model is loaded once for all who wait for it. One that failed, was stopped or discarded is loaded anew by the
 *   next call.
 * - `update` brings the revision that is due beside the one that runs, and puts it in its place once it runs, in one
 *   step. What fails leaves everything as it was: the next calls run on the revision that works.
 * - `replace` is for a revision that is not granted any more: its successor is waited for, and takes memory once the
 *   last call on the one before is over.
 * - A runtime that was replaced ends when the last call that has it is over.
 */
import type { ModelId, Sha256 } from "../../schema/contract/ids.ts";
import type { Manifest } from "../../schema/contract/models.ts";
import { sha256Hex } from "../cache/digest.ts";
import { fetchModel, type FetchModelOptions, isStored } from "../cache/fetch-model.ts";
import { cacheModeOf, type Keeping } from "../cache/keeping.ts";
import { memoryOf } from "../pool/policy.ts";
import type { LeaseholdError } from "../errors.ts";
import { orAborted } from "../runtime/abort.ts";
import type { GivenFiles } from "../runtime/host.ts";
import { timed } from "../timing.ts";
import { asLeaseholdError } from "./as-error.ts";
import { BuildChoice } from "./build-choice.ts";
import { FetchedInAll, filesOf } from "./files-of.ts";
import type { LoaderOptions, LoadWish } from "./loader-options.ts";
import { type LoadedModel, ModelLoad, type Revision } from "./model-load.ts";
import { ModelUpdates } from "./model-updates.ts";
import { PartsOnTheirWay } from "./parts-on-their-way.ts";
import { PlaceInPool } from "./place-in-pool.ts";
import { newRequestId } from "./request-id.ts";
import { RuntimeUses } from "./runtime-uses.ts";
import { backendFor } from "./variants.ts";
import { parseManifest, RevisionMoved, WeightsSource } from "./weights.ts";

/** Part of a page's bundle only where a model is loaded. */
const host = () => import("../runtime/host.ts");

export class ModelLoader {
  readonly #options: LoaderOptions;
  readonly #loads = new Map<string, ModelLoad>();
  readonly #uses = new RuntimeUses();
  /** When what was replaced has ended, and takes no memory any more. */
  readonly #leaving = new Map<string, Promise<void>>();
  readonly #updates: ModelUpdates;
  readonly #builds: BuildChoice;

  constructor(options: LoaderOptions) {
    this.#options = options;
    this.#updates = new ModelUpdates(options);
    this.#builds = new BuildChoice(options);
  }

  /**
   * The model, or its load as it goes on or begins. The caller joins it.
   * `lease`: settles when a lease that the caller is about to ask for has come, or won't.
   */
  open(model: string, lease?: Promise<void>): ModelLoad {
    const load = this.#loads.get(model);
    return load && !load.isStopped ? load : this.#begin(model, true, lease);
  }

  /** A call has it, until what this gives is called. To be called as soon as it is given out. */
  use(loaded: LoadedModel): () => void {
    return this.#uses.take(loaded);
  }

  /** The load of the revision in force, where `stale` is granted no more. */
  replace(model: string, stale: LoadedModel): ModelLoad {
    const current = this.#loads.get(model);
    if (current && !current.isStopped && current.loaded !== stale) return current;
    this.#updates.stop(model);
    this.#leaving.set(model, this.#uses.retire(stale).then(this.#options.pool.giveBackOf(model)));
    return this.#begin(model, false);
  }

  /** Another revision is in force than `running`, which will do for a while. Nobody waits for it. */
  update(model: string, running: LoadedModel): void {
    this.#updates.begin(model, async (stop) => {
      if (await this.#options.desk.isOffline(model)) return null; // the lease that calls run on without a network is for what runs
      const load = new ModelLoad((signal, onProgress, onRevision) => this.#load(model, { mayUseCache: false, beside: running, lease: undefined, signal: AbortSignal.any([signal, stop]), onProgress, onRevision }));
      const loaded = await load.result;
      if (loaded === running) return null; // it is in force again
      if (this.#loads.get(model)?.loaded !== running) {
        loaded.runtime.close();
        return null;
      }
      load.loaded = loaded;
      this.#loads.set(model, load);
      void this.#uses.retire(running).then(this.#options.pool.giveBackOf(model, running.bytes));
      return { model, revision: loaded.manifest.revision, fetchedBytes: loaded.fetchedBytes, cachedBytes: loaded.cachedBytes };
    });
  }

  /**
   * A call on it came to nothing. Where a new worker of the same would not mend that, the next call loads the model anew:
   * from what is good of its files, and in another build where WebGPU is not to be had any more. No update goes on beside
   * what has left.
   */
  async failed(model: string, broken: LoadedModel, error: LeaseholdError): Promise<void> {
    if (error.code === "backend-unavailable") await this.#builds.passOver(broken.manifest, error, broken.variant);
    else if (error.code !== "model-invalid") return;
    void this.#uses.retire(broken); // who waits for it hears of it by its own call
    const current = this.#loads.get(model);
    if (current && current.loaded !== broken) return;
    this.#updates.stop(model);
    this.#loads.delete(model);
    this.#options.pool.gone(model);
  }

  /** Ends the model's worker, or its load. */
  unload(model: string): void {
    this.#updates.stop(model);
    const load = this.#loads.get(model);
    load?.stop();
    load?.loaded?.runtime.close();
    this.#loads.delete(model);
  }

  close(): void {
    for (const model of this.#loads.keys()) this.unload(model);
  }

  #begin(model: string, mayUseCache: boolean, lease?: Promise<void>): ModelLoad {
    host().catch(() => undefined); // on its way meanwhile; whoever takes it hears of it
    const room = this.#leaving.get(model);
    const load = new ModelLoad((signal, onProgress, onRevision) => this.#load(model, { mayUseCache, lease, ...(room && { room }), signal, onProgress, onRevision }));
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
    const openRevision = (revision: Revision): Promise<LoadedModel> => {
      wish.onRevision(revision);
      source.keepTo(revision.manifest.revision);
      return this.#openRevision(revision, source, wish).catch(async (error: unknown) => {
        if (!(await this.#builds.passOver(revision.manifest, error))) throw error;
        return openRevision({ ...revision, isAtHand: await this.#isAtHand(revision.manifest) });
      });
    };
    try {
      const cached = wish.mayUseCache ? await timed("look into the cache", () => this.#cachedRevision(model, source, wish.lease)) : null;
      const due = cached ?? (await timed("which revision", () => this.#dueRevision(model, source)));
      if (due.digest === wish.beside?.digest) {
        await source.end();
        return wish.beside;
      }
      return await openRevision(due).catch(async (error: unknown) => {
        if (!(error instanceof RevisionMoved)) throw error;
        source.keepTo(null);
        return openRevision(await this.#dueRevision(model, source));
      });
    } catch (thrown) {
      const error = asLeaseholdError(thrown, signal);
      await source.end(error);
      throw error;
    }
  }

  async #openRevision(revision: Revision, source: WeightsSource, { signal, onProgress, lease, beside, room }: LoadWish): Promise<LoadedModel> {
    const { backend, threads, engineUrl, poolBytes, pool } = this.#options;
    const { manifest, digest } = revision;
    const store = await this.#options.store;
    if (revision.isAtHand) onProgress({ stage: "preparing", step: "files" });
    const variant = await this.#builds.of(manifest);
    const bytes = memoryOf(variant);
    const place = new PlaceInPool(pool, manifest.model, bytes, beside !== undefined);
    const fetched = new FetchedInAll();
    const weights = async (): Promise<FetchModelOptions> => {
      const keeping = await this.#keeping(revision, source, lease);
      return {
        manifest,
        variant,
        store,
        keeping,
        fetchChunk: (chunk, options) => source.chunk(digest, chunk, options),
        signal,
        onProgress: revision.isAtHand || place.isTaken ? undefined : (bytes) => onProgress({ stage: "downloading", isKept: keeping.mode !== "none" && store.place.kind === "disk", ...bytes }),
      };
    };
    const failed = new AbortController();
    const fetchAll = async (onChunk?: FetchModelOptions["onChunk"]) => {
      const wanted = await weights();
      const { files } = fetched.add(await timed("weights", () => fetchModel({ ...wanted, signal: AbortSignal.any([signal, failed.signal]), ...(onChunk && { onChunk }) })));
      void source.end(); // the service hears of it beside what comes now
      return files;
    };
    const take = async () => {
      if (room) await orAborted(room, signal);
      await place.take(signal);
    };
    /** What is at hand takes memory at once, and goes to the worker as it is read; a download may take long, and takes it at its end. */
    const first = async (): Promise<GivenFiles> => {
      if (!revision.isAtHand) {
        const files = await fetchAll();
        await take();
        return files;
      }
      await take();
      const parts = new PartsOnTheirWay(variant);
      parts.end(fetchAll((...chunk) => parts.add(...chunk)));
      return parts;
    };
    const selfTest = variant.self_test ?? manifest.self_test;
    const { loadRuntime } = await host();
    const runtime = await loadRuntime({
      task: manifest.task,
      ...(selfTest && { selfTest }),
      ...(engineUrl !== undefined && { ortBase: engineUrl }),
      files: filesOf(first, weights, source, fetched),
      backend: backendFor(variant, backend),
      ...(threads !== undefined && { threads }),
      gpuFault: this.#builds.gpuFault(manifest),
      poolBytes,
      allowControlFlow: manifest.control_flow === true,
      signal,
      // The engine starts while the files are on their way: then their progress is what there is to tell.
      onProgress: ({ stage }) => place.isTaken && onProgress({ stage: "preparing", step: stage }),
    }).catch((error: unknown) => {
      failed.abort(error);
      place.leave();
      throw error;
    });
    place.keep();
    await timed("put in force", async () => {
      await fetched.kept;
      await store.switchTo(manifest.model, digest);
    }).catch((error: unknown) => {
      runtime.close();
      place.leave();
      throw error;
    });
    if (fetched.sums.fetchedBytes > 0) void store.askToStay().catch(() => undefined); // a browser that won't is one that may clear the cache
    return { ...revision, runtime, ...fetched.sums, variant: variant.id, bytes };
  }

  async #keeping({ manifest, digest }: Revision, source: WeightsSource, lease: Promise<void> | undefined): Promise<Keeping> {
    const { desk } = this.#options;
    const mode = cacheModeOf(manifest);
    if (mode !== "encrypted") return { mode };
    if (!desk.hasContentKey) await lease;
    if (!desk.hasContentKey || source.isAsked) {
      const asked = await source.lease().catch((error: unknown) => {
        if (!desk.hasContentKey) throw error; // without a network an offline lease may have brought it
      });
      if (asked && asked.grant.model.manifest_sha256 !== digest) throw new RevisionMoved();
    }
    return { mode, key: await desk.contentKey() };
  }

  /** The revision in force in the cache, where all of it is there. */
  async #cachedRevision(model: string, source: WeightsSource, lease: Promise<void> | undefined): Promise<Revision | null> {
    const { desk, tenant } = this.#options;
    const store = await this.#options.store;
    store.prepare();
    const digest = await store.revision(model as ModelId);
    const text = digest && (await this.#storedText(digest));
    if (!digest || !text) return null;
    const manifest = parseManifest(text, tenant, model);
    source.keepTo(manifest.revision);
    if (cacheModeOf(manifest) === "encrypted" && !lease && !desk.hasContentKey) void source.lease().catch(() => undefined); // its key is waited for later
    if (await this.#isAtHand(manifest)) return { digest, manifest, isAtHand: true };
    source.keepTo(null);
    await source.end();
    return null;
  }

  /** The revision that the control plane pins now. */
  async #dueRevision(model: string, source: WeightsSource): Promise<Revision> {
    const store = await this.#options.store;
    const digest = (await source.lease()).grant.model.manifest_sha256;
    const text = (await this.#storedText(digest)) ?? (await source.manifestText());
    const manifest = parseManifest(text, this.#options.tenant, model);
    await store.keepManifest(digest, text);
    return { digest, manifest, isAtHand: await this.#isAtHand(manifest) };
  }

  async #isAtHand(manifest: Manifest): Promise<boolean> {
    return isStored(await this.#builds.of(manifest), await this.#options.store);
  }

  async #storedText(digest: Sha256): Promise<string | null> {
    const text = await (await this.#options.store).manifest(digest);
    return text !== null && (await sha256Hex(new TextEncoder().encode(text))) === digest ? text : null;
  }
}
