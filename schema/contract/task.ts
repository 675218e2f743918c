/** What the control plane is to know of a task. The runtime's adapter says it (`client/runtime/tasks/`). Types only. */
import type { SelfTest } from "./self-test.ts";
import type { UsageMeasure } from "./models.ts";

export interface TaskFacts {
  /** How calls are counted where the publisher states nothing; "per-run" is then a token each. */
  readonly measure: UsageMeasure["measure"];
  /** What its models can be held to. */
  readonly selfTests: readonly SelfTest["kind"][];
  /** The hub's names for it. */
  readonly pipelines: readonly string[];
  /** What the names of its models' architectures end with, for models that the hub has no name for. */
  readonly architectures: readonly string[];
}
