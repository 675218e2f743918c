/**
 * A lease over what a call will need, for the very revision that runs.
 *
 * - The model is there first: its tokenizer says how many tokens to hold.
 * - The lease is asked for the revision that is here. Where it names another as the one in force, that is fetched beside
 *   the call; where it pins another, it goes back, and the call moves to that revision.
 */
import type { Manifest } from "../../../schema/contract/models.ts";
import { LeaseholdError } from "../../errors.ts";
import type { Pool } from "../../pool/pool.ts";
import type { Priority } from "../../pool/turns.ts";
import type { GenerateInput } from "../../runtime/tasks/text-generation/request.ts";
import type { LeaseDesk } from "../lease-desk.ts";
import type { LoadedModel } from "../model-load.ts";
import type { ModelLoader } from "../model-loader.ts";
import type { OpenLease } from "../open-lease.ts";
import type { OnProgress } from "../progress.ts";
import { asLeaseholdError } from "../as-error.ts";
import { newRequestId } from "../request-id.ts";

export interface Parts {
  readonly loader: ModelLoader;
  readonly desk: LeaseDesk;
  readonly pool: Pool;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** Before what else waits for this model. */
  readonly priority?: Priority;
}

/** `release` is to be called once the call is over: a model that was replaced meanwhile then ends. */
export interface Held<T, L = OpenLease> {
  readonly lease: L;
  readonly loaded: LoadedModel;
  readonly measured: T;
  readonly release: () => void;
}

/** Where a lease is had from, and given back where it pins another revision than the one that is loaded. */
interface Source<L> {
  take(wish: { readonly model: string; readonly tokens: number; readonly revision: string; readonly requestId: string; readonly signal?: AbortSignal }): Promise<L>;
  giveBack(lease: L, error: LeaseholdError): Promise<void>;
  openOf(lease: L): OpenLease;
}

/** A revision that is replaced again while its successor loads: after this many, say so. */
const MAX_REVISIONS = 3;

export function holdFor<T extends { readonly tokens: number }>(parts: Parts, model: string, options: CallOptions, measure: (loaded: LoadedModel) => Promise<T>): Promise<Held<T>> {
  const { desk } = parts;
  return holdFrom({ take: (wish) => desk.ask(wish), giveBack: (lease, error) => desk.abandon(lease, error), openOf: (lease) => lease }, parts, model, options, measure);
}

export async function holdFrom<T extends { readonly tokens: number }, L>(source: Source<L>, { loader }: Parts, model: string, { signal, onProgress }: CallOptions, measure: (loaded: LoadedModel) => Promise<T>): Promise<Held<T, L>> {
  const requestId = newRequestId();
  let load = loader.open(model);
  for (let round = 1; round <= MAX_REVISIONS; round++) {
    const loaded = await load.join({ signal, onProgress });
    const release = loader.use(loaded);
    try {
      const measured = await measure(loaded).catch(async (thrown: unknown) => {
        await loader.failed(model, loaded, asLeaseholdError(thrown, signal)); // the model's worker measures, and may have to start for it
        throw thrown;
      });
      const lease = await source.take({ model, tokens: measured.tokens, revision: loaded.manifest.revision, requestId, ...(signal && { signal }) });
      const { model: granted } = source.openOf(lease).grant;
      if (granted.manifest_sha256 === loaded.digest) {
        if (granted.next) loader.update(model, loaded);
        return { lease, loaded, measured, release };
      }
      await source.giveBack(lease, new LeaseholdError("conflict", "Another revision of the model is in force."));
    } catch (error) {
      release();
      throw error;
    }
    load = loader.replace(model, loaded);
    release();
  }
  throw new LeaseholdError("unavailable", "The model is being changed just now. Try again in a moment.");
}

/** What an answer without a limit holds at a time. */
const SLICE = 512;

/** Tokens that are held for the answers to a prompt. The last token of one is not part of the context: it may fill that and bring one more. */
export const sliceOf = ({ maxTokens, choices }: Pick<GenerateInput, "maxTokens" | "choices">, promptTokens: number, contextLength: number): number =>
  Math.min(maxTokens ?? SLICE, contextLength - promptTokens + 1) * choices;

/** What the manifest's measure makes of a count of text tokens. */
export function chargeOf({ usage, model }: Manifest, textTokens: number): number {
  if (usage.measure === "text-tokens") return textTokens;
  if (usage.measure === "per-run" && usage.tokens !== undefined) return usage.tokens;
  throw new LeaseholdError("model-invalid", `${model} is not measured by text.`);
}
