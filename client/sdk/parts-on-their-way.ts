/**
 * A model's files for a worker that starts on them while they are still read: whatever is ready waits here until there
 * is a worker to have it.
 *
 * - Every part is given once, with its memory. What comes of the rest (`over`) is what comes of the delivery.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Variant } from "../../schema/contract/models.ts";
import type { FilesOnTheirWay } from "../runtime/host.ts";
import type { GivePart } from "../runtime/protocol.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export class PartsOnTheirWay implements FilesOnTheirWay {
  readonly files: FilesOnTheirWay["files"];
  readonly #numbers = new Map<Sha256, number>();
  readonly #ready: Parameters<GivePart>[] = [];
  readonly #over = Promise.withResolvers<void>();
  #give: GivePart = (...ready) => void this.#ready.push(ready);

  constructor({ files }: Pick<Variant, "files">) {
    const numberOf = (sha256: Sha256) => {
      const number = this.#numbers.get(sha256) ?? this.#numbers.size;
      this.#numbers.set(sha256, number);
      return number;
    };
    this.files = files.map(({ path, chunks }) => ({ path, arriving: chunks.map(({ sha256, size }) => ({ part: numberOf(sha256), size })) }));
    this.#over.promise.catch(() => undefined); // whoever the files are delivered to hears of it
  }

  add(sha256: Sha256, bytes: Bytes, isVerified: boolean): void {
    const part = this.#numbers.get(sha256);
    if (part !== undefined) this.#give(part, bytes, isVerified ? null : sha256);
  }

  /** All have been added, or the rest won't be. */
  end(over: Promise<unknown>): void {
    over.then(() => this.#over.resolve(), this.#over.reject);
  }

  deliver(give: GivePart): Promise<void> {
    for (const ready of this.#ready.splice(0)) give(...ready);
    this.#give = give;
    return this.#over.promise;
  }
}
