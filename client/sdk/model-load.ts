/** A model on its way into this page, and what it comes to. */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Manifest } from "../../schema/contract/models.ts";
import type { Runtime } from "../runtime/host.ts";
import type { OnProgress, Progress } from "./progress.ts";
import { SharedTask } from "./shared-task.ts";

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
  /** What it is reckoned to take. */
  readonly bytes: number;
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
