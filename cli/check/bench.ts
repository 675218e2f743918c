/** What the parts of the check work on. */
import type { ControlPlane } from "../control-plane/start.ts";
import type { RunningTenant } from "../demo/start.ts";

export interface Bench {
  readonly plane: ControlPlane;
  readonly acme: RunningTenant;
  readonly globex: RunningTenant;
  /** A PNG that holds the lines of `SMALL_RECEIPT`. */
  readonly picture: Buffer;
  /** The browser profile of the person who visits. */
  readonly profileDir: string;
}
