/**
 * The SDK: a tenant's models in this page, on leases.
 *
 * - Everything it throws is a `LeaseholdError`.
 * - Every inference is under a lease of its own and reported when it ends, well or not, also when the page goes away.
 * - What it caches is under the tenant that the key names; another tenant on the same origin shares nothing with it.
 * - `close` ends what runs (`aborted`) and frees the workers; the instance is of no use afterwards.
 */
import type { Metadata } from "../../schema/contract/leases.ts";
import type { Backend } from "../../schema/contract/models.ts";
import { openModelStore } from "../cache/model-store.ts";
import { LeaseholdError } from "../errors.ts";
import { budgetOf } from "../pool/policy.ts";
import { Pool, type PooledModel } from "../pool/pool.ts";
import { timed } from "../timing.ts";
import { asLeaseholdError } from "./as-error.ts";
import { requireBrowser } from "./browser-needs.ts";
import { ControlPlane } from "./control-plane.ts";
import { LeaseDesk } from "./lease-desk.ts";
import { ModelLoader } from "./model-loader.ts";
import type { ModelUpdate, UpdateFailure } from "./model-updates.ts";
import { OfflineBook, type OfflineLease } from "./offline-book.ts";
import { type LeaseBinding, openProofKey } from "./proof-key.ts";
import { Prover } from "./prover.ts";
import { type QuotaView, viewQuota } from "./quota.ts";
import type { ReadRequest, ReadResult } from "./read-image.ts";
import type { Caller } from "./shared-task.ts";
import { type Engine, engineOf, type Progress } from "./progress.ts";
import type { Classified, ClassifyRequest, EmbeddingRequest, EmbeddingResponse, ImageEmbeddingRequest, ImageEmbeddings, RunRequest, Tagged, TagRequest, TaskRequest, TaskResponse } from "./text/encoder-calls.ts";
import type { CallOptions, Parts } from "./text/hold.ts";
import type { ChatChunk, ChatCompletion, ChatRequest, Completion, CompletionRequest } from "./text/openai.ts";
import type { RawTensor } from "../runtime/tasks/raw/tensors.ts";
import type { PlainTask } from "../runtime/tasks/registry.ts";

// Parts of a page's bundle only where they are called.
const writers = () => import("./text/completions.ts");
const viewers = () => import("./read-image.ts");
const readers = () => import("./text/encoder-calls.ts");

interface CreateChat {
  (request: ChatRequest & { readonly stream: true }, options?: CallOptions): Promise<AsyncIterable<ChatChunk>>;
  (request: ChatRequest & { readonly stream?: false | null }, options?: CallOptions): Promise<ChatCompletion>;
}

interface CreateCompletion {
  (request: CompletionRequest & { readonly stream: true }, options?: CallOptions): Promise<AsyncIterable<Completion>>;
  (request: CompletionRequest & { readonly stream?: false | null }, options?: CallOptions): Promise<Completion>;
}

export interface LeaseholdOptions {
  readonly publishableKey: string;
  /** The tenant's own id for the person at the page: per-user limits count on it. */
  readonly user?: string;
  /** Your back end's signature of `user`, for keys that require one: the hex HMAC-SHA-256 of it under the identity secret. */
  readonly userSignature?: string;
  /** The operator's origin; this page's own where it isn't given. */
  readonly baseUrl?: string;
  readonly metadata?: Metadata;
  readonly backend?: "auto" | Backend;
  /**
   * How many threads a model gets on WASM, 1 to 16. Where it isn't given they follow the cores, four at most, and each
   * model of text goes on with as many of them as it measures to be soonest here (`threads` of what `preload` gives).
   */
  readonly threads?: number;
  /** The build of each model to take, by id; without it the first that fits the device. */
  readonly variant?: string;
  /** The folder that the files in the package's `engine` folder are served from, by this page's own origin; `/assets/ort/<version>/` where it isn't given. */
  readonly engineUrl?: string;
  /** How much memory models may take together (default: by the device), and how long one may be idle (5 minutes). */
  readonly pool?: { readonly budgetBytes?: number; readonly idleMs?: number };
}

const IDLE_MS = 5 * 60_000;

export interface LeaseholdEvents {
  /** What is left has changed. */
  quota: QuotaView;
  /** A usage report did not arrive: the lease's whole hold will be charged. */
  "report-failed": LeaseholdError;
  /** Another revision of a model was fetched beside the one that ran, and has taken its place. */
  update: ModelUpdate;
  /** It could not be: the revision that was here goes on. */
  "update-failed": UpdateFailure;
}

export interface OfflinePlan extends Caller<Progress> {
  readonly model: string;
  /** LLM tokens to run on. */
  readonly tokens: number;
  /** Calls to make of them; as many as there are tokens, up to a thousand, where it isn't given. */
  readonly calls?: number;
  readonly ttlSeconds?: number;
}

export interface Preloaded extends Engine {
  /** The model's build that this device took. */
  readonly variant: string;
  readonly cache: "hit" | "miss";
  readonly fetchedBytes: number;
  /** What was here already: of an update, the part that did not change. */
  readonly cachedBytes: number;
}

export class Leasehold {
  /** The tenant's warm pool in this page. */
  readonly models = {
    /** Brings a model to where its first call starts at once. Needs no tokens. */
    preload: (model: string, caller: Caller<Progress> = {}): Promise<Preloaded> =>
      this.#guarded(caller.signal, async (signal) => {
        const { runtime, cache, fetchedBytes, cachedBytes, variant } = await this.#loader.open(model).join({ ...caller, signal });
        return { ...engineOf(runtime), cache, fetchedBytes, cachedBytes, variant };
      }),
    /** As `preload`; `pin` keeps it: it then leaves by `unload` alone. */
    load: async (model: string, { pin = false, ...caller }: Caller<Progress> & { readonly pin?: boolean } = {}): Promise<Preloaded> => {
      const release = this.#pool.hold(model);
      try {
        const loaded = await this.models.preload(model, caller);
        if (pin) this.#pool.pin(model);
        return loaded;
      } finally {
        release();
      }
    },
    /** Ends the model's worker once the calls that it has are done. What is cached stays. */
    unload: (model: string): Promise<void> => this.#pool.unload(model),
    unpin: (model: string): void => this.#pool.unpin(model),
    list: (): PooledModel[] => this.#pool.list(),
  };

  /** Running without a network, where the tenant's policy allows it. */
  readonly offline = {
    /**
     * Takes `tokens` for later, for a day where `ttlSeconds` doesn't say less, and has the model at hand. From then on
     * calls without a network run on them; their usage is sent once there is one again.
     */
    prepare: ({ model, tokens, calls, ttlSeconds, ...caller }: OfflinePlan): Promise<OfflineLease> =>
      this.#guarded(caller.signal, async (signal) => {
        const loaded = await this.#loader.open(model).join({ ...caller, signal });
        const { lease_id, hold, expires_at, model: pinned } = await this.#desk.goOffline({ model, tokens, calls, ttlSeconds, signal });
        if (pinned.manifest_sha256 !== loaded.digest) await this.#loader.replace(model, loaded).join({ ...caller, signal });
        return { lease_id, model, tokens: hold, expires_at, unsent: 0 };
      }),
    list: (): Promise<OfflineLease[]> => this.#book.list(),
    /** Gives back what is left for a model, as soon as there is a network. */
    end: async (model: string): Promise<void> => {
      await this.#book.end(model);
      await this.#desk.sendReports();
    },
  };

  readonly ocr = {
    /** Reads the text of a picture. A picture without text gives no blocks. */
    read: (request: ReadRequest): Promise<ReadResult> =>
      this.#guarded(request.signal, async (signal) => (await viewers()).readImage(this.#parts, { ...request, signal })),
  };

  readonly chat = { completions: { create: this.#createChat.bind(this) as CreateChat } };
  readonly completions = { create: this.#createCompletion.bind(this) as CreateCompletion };

  readonly embeddings = {
    create: (request: EmbeddingRequest, options: CallOptions = {}): Promise<EmbeddingResponse> => this.#guarded(options.signal, async (signal) => (await readers()).embed(this.#parts, request, { ...options, signal })),
    /** Embeddings of pictures, by a CLIP model or its kind. */
    ofImages: (request: ImageEmbeddingRequest, options: CallOptions = {}): Promise<ImageEmbeddings> => this.#guarded(options.signal, async (signal) => (await readers()).embedImages(this.#parts, request, { ...options, signal })),
  };

  readonly tasks = {
    /** One call of any task by its name, also of those that have no method here. */
    run: <Name extends PlainTask>(request: TaskRequest<Name>, options: CallOptions = {}): Promise<TaskResponse<Name>> => this.#guarded(options.signal, async (signal) => (await readers()).runTask(this.#parts, request, { ...options, signal })),
  };

  readonly #loader: ModelLoader;
  readonly #pool: Pool;
  readonly #desk: LeaseDesk;
  readonly #prover: Prover;
  readonly #book: OfflineBook;
  readonly #store: ReturnType<typeof openModelStore>;
  readonly #closing = new AbortController();
  readonly #onPageHide = () => void this.#desk.abandonAll();
  readonly #onOnline = () => void this.#desk.sendReports();
  readonly #listeners: { [E in keyof LeaseholdEvents]: Set<(event: LeaseholdEvents[E]) => void> } = { quota: new Set(), "report-failed": new Set(), update: new Set(), "update-failed": new Set() };

  constructor({ publishableKey, user, userSignature, baseUrl, metadata, backend = "auto", threads, variant, engineUrl, pool = {} }: LeaseholdOptions) {
    const tenant = tenantOfKey(publishableKey);
    this.#prover = new Prover(timed("proof key", () => openProofKey(tenant)));
    const api = new ControlPlane(baseUrl ?? location.origin, this.#prover);
    this.#book = new OfflineBook(tenant);
    this.#store = timed("open the cache", () => openModelStore(tenant, undefined, () => this.#book.manifests()));
    this.#desk = new LeaseDesk({
      api,
      publishableKey,
      user,
      userSignature,
      metadata,
      offline: this.#book,
      likelyBackend: backend === "auto" ? ("gpu" in navigator ? "webgpu" : "wasm") : backend,
      onQuota: (quota) => this.#emit("quota", viewQuota(quota)),
      onReportFailed: (error) => this.#emit("report-failed", error),
    });
    addEventListener("pagehide", this.#onPageHide);
    addEventListener("online", this.#onOnline);
    void this.#desk.sendReports(); // what an earlier page could not
    this.#pool = new Pool({
      budgetBytes: pool.budgetBytes ?? budgetOf((navigator as { deviceMemory?: number }).deviceMemory ?? null),
      idleMs: pool.idleMs ?? IDLE_MS,
      unload: (model) => this.#loader.unload(model),
    });
    this.#loader = new ModelLoader({ tenant, backend, threads, variant, engineUrl: engineUrl === undefined ? undefined : folderUrl(engineUrl), api, desk: this.#desk, store: this.#store, pool: this.#pool, poolBytes: pool.budgetBytes, onUpdate: (update) => this.#emit("update", update), onUpdateFailed: (failure) => this.#emit("update-failed", failure) });
  }

  /** Labels of texts or pictures; with `labels`, those of a zero-shot model. */
  classify(request: ClassifyRequest, options: CallOptions = {}): Promise<Classified> {
    return this.#guarded(options.signal, async (signal) => (await readers()).classify(this.#parts, request, { ...options, signal }));
  }

  /** Names, places and whatever else the model finds in texts. */
  tag(request: TagRequest, options: CallOptions = {}): Promise<Tagged> {
    return this.#guarded(options.signal, async (signal) => (await readers()).tag(this.#parts, request, { ...options, signal }));
  }

  /** Any ONNX model, by the names of its inputs and outputs; of a task other than raw, where it is one graph that keeps nothing between runs. */
  run(request: RunRequest, options: CallOptions = {}): Promise<Readonly<Record<string, RawTensor>>> {
    return this.#guarded(options.signal, async (signal) => (await readers()).runRaw(this.#parts, request, { ...options, signal }));
  }

  /** Whether leases are bound to a key of this browser, so that one that leaks is of no use; if not, why. */
  get binding(): Promise<LeaseBinding> {
    return this.#prover.binding();
  }

  /** What is left, as of the last grant; null before the first. */
  get quota(): QuotaView | null {
    return this.#desk.quota && viewQuota(this.#desk.quota);
  }

  /** Returns the function that ends the subscription. */
  on<E extends keyof LeaseholdEvents>(event: E, listener: (event: LeaseholdEvents[E]) => void): () => void {
    this.#listeners[event].add(listener);
    return () => void this.#listeners[event].delete(listener);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#loader.close();
    this.#pool.close();
    removeEventListener("pagehide", this.#onPageHide);
    removeEventListener("online", this.#onOnline);
    await this.#desk.abandonAll();
    this.#book.close();
    (await this.#store).close();
  }

  get #parts(): Parts {
    return { loader: this.#loader, desk: this.#desk, pool: this.#pool };
  }

  #createChat(request: ChatRequest, options: CallOptions = {}): Promise<ChatCompletion | AsyncIterable<ChatChunk>> {
    return this.#guarded(options.signal, async (signal) => (await writers()).createChat(this.#parts, request, { ...options, signal }));
  }

  #createCompletion(request: CompletionRequest, options: CallOptions = {}): Promise<Completion | AsyncIterable<Completion>> {
    return this.#guarded(options.signal, async (signal) => (await writers()).createCompletion(this.#parts, request, { ...options, signal }));
  }

  #emit<E extends keyof LeaseholdEvents>(event: E, value: LeaseholdEvents[E]): void {
    for (const listener of this.#listeners[event]) listener(value);
  }

  async #guarded<T>(caller: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    requireBrowser();
    const signal = caller ? AbortSignal.any([caller, this.#closing.signal]) : this.#closing.signal;
    try {
      signal.throwIfAborted();
      return await work(signal);
    } catch (error) {
      throw asLeaseholdError(error, signal);
    }
  }
}

const folderUrl = (path: string) => new URL(path.endsWith("/") ? path : `${path}/`, location.href).href;

/** `lh_pk_<tenant>_<32 random><8 hex>`. Says nothing about whether the key is good: the control plane does. */
function tenantOfKey(key: string): string {
  const tenant = /^lh_pk_([a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?)_[0-9a-z]{40}$/.exec(key)?.[1];
  if (tenant === undefined) throw new LeaseholdError("unauthorized", "That is not a publishable key: it starts with lh_pk_.");
  return tenant;
}
