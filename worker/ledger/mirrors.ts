/**
 * What is kept in memory of the leases table, so that a grant writes one row for its lease and reads none of the others.
 * Filled by `LeaseBook.fillMirrors` and `EgressPasses.fillMirror`, when the object wakes and after a transaction that failed; never written to storage.
 */
import { ActiveLeases } from "./active.ts";
import { Holds } from "./holds.ts";
import { Instants } from "./instants.ts";
import { MinuteWindow } from "./minute.ts";

/** Of one key, what its own limits need. */
interface KeyMirrors {
  readonly minute: MinuteWindow;
  readonly active: ActiveLeases;
}

export class Mirrors {
  readonly #keys = new Map<string, KeyMirrors>();
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

  ofKey(id: string): KeyMirrors {
    let mirrors = this.#keys.get(id);
    if (!mirrors) this.#keys.set(id, (mirrors = { minute: new MinuteWindow(), active: new ActiveLeases() }));
    return mirrors;
  }

  /** A lease of this key was granted at `at`. */
  admit(key: string, at: number, held: number, posted = 0): void {
    for (const { minute } of [this, this.ofKey(key)]) minute.admit(at, held, posted);
  }

  /** Of the hold that was granted at `at`, `release` is held no more, and `post` of it is posted. */
  resolve(key: string, at: number, release: number, post: number): void {
    for (const { minute } of [this, this.ofKey(key)]) minute.resolve(at, release, post);
  }

  begin(key: string, endsAt: number): void {
    for (const { active } of [this, this.ofKey(key)]) active.add(endsAt);
  }

  end(key: string, endsAt: number): void {
    for (const { active } of [this, this.ofKey(key)]) active.remove(endsAt);
  }

  clear(): void {
    this.#keys.clear();
    for (const mirror of [this.minute, this.active, this.holds, this.due, this.places]) mirror.clear();
  }
}
