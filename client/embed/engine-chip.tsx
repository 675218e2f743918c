/** Says on what the model runs; why, on hover, focus or touch. */
import type { Engine } from "../sdk/progress.ts";
import { engineWords } from "./wording.ts";

export function EngineChip({ engine }: { engine: Engine }) {
  return (
    <span class="engine-box">
      <button type="button" class="engine" data-testid="engine" data-backend={engine.backend} aria-describedby="engine-why">
        {engineWords(engine.backend, engine.threads)}
      </button>
      <span class="tip" role="tooltip" id="engine-why">
        {engine.reason}
      </span>
    </span>
  );
}
