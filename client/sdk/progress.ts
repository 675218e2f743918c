import type { Backend } from "../../schema/contract/models.ts";
import type { FetchProgress } from "../cache/fetch-model.ts";

/** How far a call is. */
export type Progress =
  /** `isKept`: on this browser's disk, for the next time. */
  | ({ readonly stage: "downloading"; readonly isKept: boolean } & FetchProgress)
  | { readonly stage: "preparing"; readonly step: "files" | "compile" | "session" | "warmup" }
  | { readonly stage: "reading"; readonly engine: Engine };

/** What the model runs on in this browser. */
export interface Engine {
  readonly backend: Backend;
  readonly threads: number;
  /** Why that backend, in plain words. */
  readonly reason: string;
}

export type OnProgress = (progress: Progress) => void;

export const engineOf = ({ backend, threads, reason }: Engine): Engine => ({ backend, threads, reason });
