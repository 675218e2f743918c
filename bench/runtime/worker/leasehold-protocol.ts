/** What the bench's page asks of `leasehold.worker.ts`. */
import type { StoredFile } from "../../../client/runtime/protocol.ts";

export type LeaseholdRequest =
  /** `threads`: 0 leaves it to the runtime. */
  | { readonly kind: "load"; readonly files: readonly StoredFile[]; readonly threads: number; readonly ortBase: string }
  | { readonly kind: "generate"; readonly ids: readonly number[]; readonly count: number };

export interface LeaseholdAnswer {
  readonly note: string;
  /** Milliseconds from the request to each token. */
  readonly times: readonly number[];
  /** Until the answer was whole; and of it, in the model's own runs. */
  readonly wholeMs: number;
  readonly runMs: number;
}
