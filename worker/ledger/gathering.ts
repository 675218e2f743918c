/**
 * Lets calls that arrive together be done in one turn of the object's event loop, one after the other, so that they
 * share one durable commit: what an object waits for most under load.
 *
 * - Each call still has a transaction of its own, and no answer leaves before the commit (the platform's output gate).
 * - A call that comes alone waits for one turn, well under a millisecond. None waits for more than one.
 */
export class Gathering {
  readonly #nextTurn: () => Promise<void>;
  #turn: Promise<void> | null = null;

  constructor(nextTurn: () => Promise<void> = () => scheduler.wait(0)) {
    this.#nextTurn = nextTurn;
  }

  /** The turn that is coming: the same for all who ask before it comes. */
  join(): Promise<void> {
    return (this.#turn ??= this.#nextTurn().finally(() => {
      this.#turn = null;
    }));
  }
}
