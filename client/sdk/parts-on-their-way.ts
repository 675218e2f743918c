/**
 * A model's files for a worker that starts on them while they are still read and verified: whatever is ready waits here
 * until there is a worker to have it.
 *
 * - Every part is given once, with its memory. What comes of the rest (`over`) is what comes of the delivery.
 */
import type { Sha256 } from "../../schema/contract/ids.ts";
import type { Variant } from "../../schema/contract/models.ts";
import type { FilesOnTheirWay } from "../runtime/host.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Give = (part: number, bytes: Bytes) => void;

export class PartsOnTheirWay implements FilesOnTheirWay {
  readonly files: FilesOnTheirWay["files"];
  readonly #numbers = new Map<Sha256, number>();
  readonly #ready: (readonly [part: number, bytes: Bytes])[] = [];
  readonly #over = Promise.withResolvers<void>();
  #give: Give = (part, bytes) => void this.#ready.push([part, bytes]);

  constructor({ files }: Pick<Variant, "files">) {
    const numberOf = (sha256: Sha256) => {
      const number = this.#numbers.get(sha256) ?? this.#numbers.size;
      this.#numbers.set(sha256, number);
      return number;
    };
    this.files = files.map(({ path, chunks }) => ({ path, arriving: chunks.map(({ sha256, size }) => ({ part: numberOf(sha256), size })) }));
    this.#over.promise.catch(() => undefined); // whoever the files are delivered to hears of it
  }

  add(sha256: Sha256, bytes: Bytes): void {
    const part = this.#numbers.get(sha256);
    if (part !== undefined) this.#give(part, bytes);
  }

  /** All have been added, or the rest won't be. */
  end(over: Promise<unknown>): void {
    over.then(() => this.#over.resolve(), this.#over.reject);
  }

  deliver(give: Give): Promise<void> {
    for (const [part, bytes] of this.#ready.splice(0)) give(part, bytes);
    this.#give = give;
    return this.#over.promise;
  }
}
