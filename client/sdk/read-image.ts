/**
 * One picture, from its size to its text, under one lease.
 *
 * - The size is known before anything is asked for: what can't be read costs no lease and no download.
 * - Tokens are those of the picture as the model will see it; that many are held, that many are used.
 * - Where the weights are at hand the lease is asked for while they load; where they are not, after the download
 *   (it could outlast the lease), unless the quota is already known to be too small: then first, to be refused early.
 * - A failure or a stop after the grant gives the hold back.
 */
import { imageTokens } from "../../schema/contract/measure.ts";
import type { UsageReport } from "../../schema/contract/leases.ts";
import type { Manifest } from "../../schema/contract/models.ts";
import { LeaseholdError } from "../errors.ts";
import type { Pool } from "../pool/pool.ts";
import type { Priority } from "../pool/turns.ts";
import type { OcrBlock } from "../runtime/host.ts";
import { imageSize } from "../runtime/tasks/ocr/decode-size.ts";
import { planOcr } from "../runtime/tasks/ocr/plan.ts";
import { asLeaseholdError } from "./as-error.ts";
import type { LeaseDesk } from "./lease-desk.ts";
import type { LoadedModel, ModelLoad } from "./model-load.ts";
import type { ModelLoader } from "./model-loader.ts";
import type { OpenLease } from "./open-lease.ts";
import { type Engine, engineOf, type OnProgress } from "./progress.ts";
import { viewQuota } from "./quota.ts";
import { newRequestId } from "./request-id.ts";

export interface ReadRequest {
  readonly model: string;
  readonly image: Blob;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** Which of the calls that wait for the model goes first. */
  readonly priority?: Priority;
}

export interface ReadResult extends Engine {
  readonly blocks: readonly OcrBlock[];
  /** Of the picture, in its own pixels; the boxes are in the same. */
  readonly width: number;
  readonly height: number;
  readonly usage: Pick<UsageReport, "input_tokens" | "output_tokens">;
  readonly lease_id: string;
  readonly request_id: string;
  readonly cache: "hit" | "miss";
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Where a call gets what it needs. */
export interface Desks {
  readonly loader: ModelLoader;
  readonly desk: LeaseDesk;
  readonly pool: Pool;
}

interface Granted {
  readonly lease: OpenLease;
  readonly loaded: LoadedModel;
  /** To be called once the call is over. */
  readonly release: () => void;
}

/** A revision that is replaced again while its successor loads: after this many, say so. */
const MAX_REVISIONS = 3;

export async function readImage(desks: Desks, request: ReadRequest): Promise<ReadResult> {
  const { width, height } = await imageSize(request.image);
  const release = desks.pool.hold(request.model);
  try {
    return await readSized(desks, request, planOcr(width, height));
  } finally {
    release();
  }
}

async function readSized({ loader, desk, pool }: Desks, { model, image, signal, onProgress, priority }: ReadRequest, seen: Size): Promise<ReadResult> {
  const { lease, loaded, release } = await obtain(loader, desk, { model, seen, signal, onProgress });
  const usage = { input_tokens: tokensOf(loaded.manifest, seen), output_tokens: 0 };
  const { runtime, cache } = loaded;
  try {
    const result = await pool.run(model, { ...(priority && { priority }), ...(signal && { signal }) }, () => {
      lease.runningTokens = usage.input_tokens;
      onProgress?.({ stage: "reading", engine: engineOf(runtime) });
      return runtime.readOcr(image, { signal });
    });
    const engine = engineOf(runtime); // after a crash it may be another one than before
    await desk.settle(lease, {
      outcome: "ok",
      inputTokens: usage.input_tokens,
      outputTokens: usage.output_tokens,
      latencyMs: result.latencyMs,
      ttftMs: result.ttftMs,
      backend: engine.backend,
      cache,
    });
    const { blocks } = result;
    return { blocks, width: result.width, height: result.height, ...engine, usage, lease_id: lease.grant.lease_id, request_id: lease.requestId, cache };
  } catch (thrown) {
    const error = asLeaseholdError(thrown, signal);
    await loader.failed(model, loaded, error);
    await desk.abandon(lease, error);
    throw error;
  } finally {
    release();
  }
}

type Wish = Pick<ReadRequest, "model" | "signal" | "onProgress"> & { readonly seen: Size };

/** A lease, and the model of the very revision that it pins. */
async function obtain(loader: ModelLoader, desk: LeaseDesk, wish: Wish): Promise<Granted> {
  const asked = Promise.withResolvers<void>();
  let load = loader.open(wish.model, asked.promise);
  for (let round = 1; round <= MAX_REVISIONS; round++) {
    const { lease, loaded, release } = await leaseAndModel(load, loader, desk, wish, asked.resolve).finally(asked.resolve);
    if (lease.grant.model.manifest_sha256 === loaded.digest) {
      if (lease.grant.model.next) loader.update(wish.model, loaded);
      return { lease, loaded, release };
    }
    await desk.abandon(lease, new LeaseholdError("conflict", "Another revision of the model is in force."));
    load = loader.replace(wish.model, loaded);
    release();
  }
  throw new LeaseholdError("unavailable", "The model is being changed just now. Try again in a moment.");
}

async function leaseAndModel(load: ModelLoad, loader: ModelLoader, desk: LeaseDesk, { model, seen, signal, onProgress }: Wish, onAsked: () => void): Promise<Granted> {
  const leaving = new AbortController();
  const joined = load.join({ signal: signal ? AbortSignal.any([signal, leaving.signal]) : leaving.signal, onProgress });
  const loading = joined.then((loaded) => ({ loaded, release: loader.use(loaded) }));
  loading.catch(() => undefined); // awaited below, but a refused lease may come first
  const revision = await Promise.race([load.revision, joined]);
  const ask = () => desk.ask({ model, tokens: tokensOf(revision.manifest, seen), revision: revision.manifest.revision, requestId: newRequestId(), signal }).finally(onAsked);

  const remaining = desk.quota && viewQuota(desk.quota).remaining;
  const isEarly = load.loaded !== null || revision.isAtHand || (remaining !== null && remaining < tokensOf(revision.manifest, seen));
  if (!isEarly) {
    onAsked(); // not before the model is here
    await loading;
  }
  const lease = await ask().catch((error: unknown) => {
    if (isEarly && !revision.isAtHand) leaving.abort(); // no use downloading what may not run
    loading.then(({ release }) => release(), () => undefined); // the refusal is what there is to tell
    throw error;
  });
  try {
    return { lease, ...(await loading) };
  } catch (error) {
    await desk.abandon(lease, asLeaseholdError(error, signal));
    throw error;
  }
}

/** The same rule on both sides: the manifest's measure. */
function tokensOf({ usage, model }: Manifest, seen: Size): number {
  if (usage.measure === "image-tokens") return imageTokens(seen.width, seen.height);
  if (usage.measure === "per-run" && usage.tokens !== undefined) return usage.tokens;
  throw new LeaseholdError("model-invalid", `${model} is not measured by pictures.`);
}
