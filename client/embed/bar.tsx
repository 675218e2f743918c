/** How far a model is on its way. */
import type { Progress } from "../sdk/progress.ts";
import { bytesWords, stageWords } from "./wording.ts";

export function Bar({ progress }: { progress: Progress | null }) {
  if (progress?.stage !== "downloading") {
    return (
      <div class="bar" data-testid="progress">
        <div class="track" role="progressbar" aria-label={stageWords(progress)}>
          <div class="moving" />
        </div>
      </div>
    );
  }
  const { loadedBytes, totalBytes, isKept } = progress;
  const percent = Math.floor((loadedBytes / totalBytes) * 100);
  const bytes = bytesWords(loadedBytes, totalBytes);
  return (
    <div class="bar" data-testid="progress">
      <p>
        <span>{bytes}</span>
        <span>{percent} %</span>
      </p>
      <div class="track" role="progressbar" aria-label="Download of the model" aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent} aria-valuetext={bytes}>
        <div class="fill" style={{ width: `${percent}%` }} />
      </div>
      <p class="small">{isKept ? "Once. It is kept in this browser for the next time." : "It is not kept in this browser, and comes again the next time."}</p>
    </div>
  );
}
