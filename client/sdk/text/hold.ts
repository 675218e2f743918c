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
import type { LeaseDesk } from "../lease-desk.ts";
import type { LoadedModel } from "../model-load.ts";
import type { ModelLoader } from "../model-loader.ts";
import type { OpenLease } from "../open-lease.ts";
import type { OnProgress } from "../progress.ts";
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
export interface Held<T> {
  readonly lease: OpenLease;
  readonly loaded: LoadedModel;
  readonly measured: T;
  readonly release: () => void;
}

/** A revision that is replaced again while its successor loads: after this many, say so. */
const MAX_REVISIONS = 3;

export async function holdFor<T extends { readonly tokens: number }>({ loader, desk }: Parts, model: string, { signal, onProgress }: CallOptions, measure: (loaded: LoadedModel) => Promise<T>): Promise<Held<T>> {
  const requestId = newRequestId();
  let load = loader.open(model);
  for (let round = 1; round <= MAX_REVISIONS; round++) {
    const loaded = await load.join({ signal, onProgress });
    const release = loader.use(loaded);
    try {
      const measured = await measure(loaded);
      const lease = await desk.ask({ model, tokens: measured.tokens, revision: loaded.manifest.revision, requestId, signal });
      if (lease.grant.model.manifest_sha256 === loaded.digest) {
        if (lease.grant.model.next) loader.update(model, loaded);
        return { lease, loaded, measured, release };
      }
      await desk.abandon(lease, new LeaseholdError("conflict", "Another revision of the model is in force."));
    } catch (error) {
      release();
      throw error;
    }
    load = loader.replace(model, loaded);
    release();
  }
  throw new LeaseholdError("unavailable", "The model is being changed just now. Try again in a moment.");
}

/** What the manifest's measure makes of a count of text tokens. */
export function chargeOf({ usage, model }: Manifest, textTokens: number): number {
  if (usage.measure === "text-tokens") return textTokens;
  if (usage.measure === "per-run" && usage.tokens !== undefined) return usage.tokens;
  throw new LeaseholdError("model-invalid", `${model} is not measured by text.`);
}
