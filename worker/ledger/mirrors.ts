/**
 * What is kept in memory of the leases table, so that a grant writes one row for its lease and reads none of the others.
 * Filled by `LeaseBook.fillMirrors`, when the object wakes and after a transaction that failed; never written to storage.
 */
import { ActiveLeases } from "./active.ts";
import { Holds } from "./holds.ts";
import { Instants } from "./instants.ts";
import { MinuteWindow } from "./minute.ts";

export class Mirrors {
  /** What the last 60 seconds admitted. */
  readonly minute = new MinuteWindow();
  /** How many leases are active. */
  readonly active = new ActiveLeases();
  /** What unresolved leases hold. */
  readonly holds = new Holds();
  /** When unresolved leases fall due. */
  readonly due = new Instants();
  /** Where unresolved leases stand in the table: the instants in their ids. */
  readonly places = new Instants();

  clear(): void {
    for (const mirror of [this.minute, this.active, this.holds, this.due, this.places]) mirror.clear();
  }
}
