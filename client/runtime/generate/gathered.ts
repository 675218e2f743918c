/**
 * Pieces of text that come faster than a page can show them, as fewer and longer ones. Pure but for the clock.
 *
 * - Handing a piece to the page takes a tenth of a millisecond of the model's thread, and often its core: a page has a
 *   use for one a frame. The first is given at once, the next ones a frame apart; no text waits behind another event.
 * - `look` gives what is due: call it between tokens, for a text may have to wait for its next one. `end` gives the rest:
 *   call it however the answer ends, for what breaks off has no event that would bring it.
 */
import type { GenerateEvent } from "../tasks/text-generation/request.ts";

const FRAME_MS = 16;

type Piece = Extract<GenerateEvent, { kind: "piece" }>;

export interface Gathered {
  emit(event: GenerateEvent): void;
  look(): void;
  end(): void;
}

export function gathered(emit: (event: GenerateEvent) => void, now: () => number): Gathered {
  let waiting: Piece | null = null;
  let gaveAt = -Infinity;
  const give = (): void => {
    if (!waiting) return;
    emit(waiting);
    waiting = null;
    gaveAt = now();
  };
  const look = (): void => {
    if (waiting && now() - gaveAt >= FRAME_MS) give();
  };
  return {
    emit(event) {
      if (event.kind !== "piece" || event.choice !== waiting?.choice) give();
      if (event.kind !== "piece") return emit(event);
      waiting = waiting ? { ...event, text: waiting.text + event.text, tokens: [...waiting.tokens, ...event.tokens] } : event;
      look();
    },
    look,
    end: give,
  };
}
