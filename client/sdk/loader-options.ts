/** What a loader of models is made with, and what it is told of each load. */
import type { Backend } from "../../schema/contract/models.ts";
import type { ModelStore } from "../cache/model-store.ts";
import type { Pool } from "../pool/pool.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { LeaseDesk } from "./lease-desk.ts";
import type { LoadedModel, Revision } from "./model-load.ts";
import type { UpdateEvents } from "./model-updates.ts";
import type { OnProgress } from "./progress.ts";

export interface LoadWish {
  readonly mayUseCache: boolean;
  /** What runs, and goes on running, while this is loaded. */
  readonly beside?: LoadedModel;
  readonly lease: Promise<void> | undefined;
  /** When what ran before has ended, and takes no memory any more. */
  readonly room?: Promise<void>;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
  readonly onRevision: (revision: Revision) => void;
}

export interface LoaderOptions extends UpdateEvents {
  readonly tenant: string;
  readonly backend: "auto" | Backend;
  readonly threads: number | undefined;
  /** The build to take, whatever the device. */
  readonly variant?: string | undefined;
  /** The folder with the engine's files; where it isn't given, the one that the operator's pages have. */
  readonly engineUrl?: string | undefined;
  readonly api: ControlPlane;
  readonly desk: LeaseDesk;
  readonly store: Promise<ModelStore>;
  readonly pool: Pool;
  /** Where the page says how much the pool may take: so much one model may take too. */
  readonly poolBytes?: number | undefined;
}
