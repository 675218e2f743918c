/**
 * Which calls of models run now, for loads that give way to them.
 *
 * - Those of this page are known at once, whichever tenant's they are. Those of other pages and frames of this origin are
 *   known by a lock that each holds while its calls run, which the browser lets go of with the page: looked at ten times
 *   a second while something loads, and less often once there are some.
 * - A call counts a tenth of a second longer than it runs: what comes between two calls is as much waited for as they
 *   are, and calls that follow each other need no lock anew.
 * - A browser without locks knows of its own page alone.
 */
type Listener = (areUnderWay: boolean) => void;

const NAME = "leasehold-calls/";
const LOOK_MS = 100;
/** Looking costs a little too, and a load that hears late of their end has lost little. */
const LOOK_AGAIN_MS = 300;
const LINGER_MS = 100;

export class CallsUnderWay {
  readonly #locks: LockManager | undefined;
  readonly #name = NAME + crypto.randomUUID();
  readonly #listeners = new Set<Listener>();
  #here = 0;
  #isElsewhere = false;
  #told = false;
  #letGo: (() => void) | null = null;
  #lingering: ReturnType<typeof setTimeout> | undefined;
  #looking: ReturnType<typeof setTimeout> | undefined;

  constructor(locks: LockManager | undefined) {
    this.#locks = locks;
  }

  /** A call runs, until what this gives is called. */
  begin(): () => void {
    this.#here++;
    clearTimeout(this.#lingering);
    this.#letGo ??= this.#announce();
    this.#tell();
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#here--;
      if (this.#here === 0) this.#lingering = setTimeout(() => this.#end(), LINGER_MS);
    };
  }

  /** Tells at once how it stands, and each change, until what this gives is called. */
  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    listener(this.#told);
    if (this.#listeners.size === 1) void this.#look();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearTimeout(this.#looking);
      this.#isElsewhere = false;
      this.#tell();
    };
  }

  #tell(): void {
    const areUnderWay = this.#letGo !== null || this.#isElsewhere;
    if (areUnderWay === this.#told) return;
    this.#told = areUnderWay;
    for (const listener of this.#listeners) listener(areUnderWay);
  }

  #end(): void {
    this.#letGo?.();
    this.#letGo = null;
    this.#tell();
  }

  #announce(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    // A page that may have no locks is not heard of elsewhere.
    this.#locks?.request(this.#name, () => promise).catch(() => undefined);
    return resolve;
  }

  async #look(): Promise<void> {
    const held = await this.#locks?.query().then(({ held = [] }) => held, () => []);
    if (!held || this.#listeners.size === 0) return;
    this.#isElsewhere = held.some(({ name = "" }) => name.startsWith(NAME) && name !== this.#name);
    this.#tell();
    clearTimeout(this.#looking);
    this.#looking = setTimeout(() => void this.#look(), this.#isElsewhere ? LOOK_AGAIN_MS : LOOK_MS);
  }
}

/** One for all models and tenants of this page. (A server that renders one imports this too, and may have no navigator.) */
export const callsUnderWay = new CallsUnderWay((globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks);
