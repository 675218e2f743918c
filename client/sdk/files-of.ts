/**
 * The files for each worker that gets them: read, opened and verified for it, so that none of them is held while the
 * model runs. The first time is the load's own, with its signal and its progress.
 */
import { fetchModel, type FetchModelOptions } from "../cache/fetch-model.ts";
import { LeaseholdError } from "../errors.ts";
import type { GivenFiles } from "../runtime/host.ts";
import { RevisionMoved, type WeightsSource } from "./weights.ts";

export function filesOf(first: () => Promise<GivenFiles>, weights: () => Promise<FetchModelOptions>, source: WeightsSource): () => Promise<GivenFiles> {
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
