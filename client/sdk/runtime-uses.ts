/**
 * Which loaded models calls are using. One that was replaced ends when the last call that has it is over, and not before:
 * nobody's call is lost to an update.
 */
import type { Runtime } from "../runtime/host.ts";

interface Loaded {
  readonly runtime: Pick<Runtime, "close">;
}

export class RuntimeUses {
  readonly #uses = new Map<Loaded, number>();
  /** What is told when one has ended. */
  readonly #retired = new Map<Loaded, () => void>();

  /** Until what this gives is called. */
  take(loaded: Loaded): () => void {
    this.#uses.set(loaded, (this.#uses.get(loaded) ?? 0) + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const left = (this.#uses.get(loaded) ?? 1) - 1;
      if (left > 0) return void this.#uses.set(loaded, left);
      this.#uses.delete(loaded);
      this.#retired.get(loaded)?.();
    };
  }

  /** Nobody is given it any more. Whoever was given it in this very moment still takes it. Resolves when it has ended. */
  retire(loaded: Loaded): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(() => {
      const earlier = this.#retired.get(loaded);
      const end = () => {
        this.#retired.delete(loaded);
        loaded.runtime.close();
        earlier?.();
        resolve();
      };
      if (this.#uses.has(loaded)) this.#retired.set(loaded, end);
      else end();
    });
    return promise;
  }
}
