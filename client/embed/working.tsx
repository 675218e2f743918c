/** A picture on its way: the picture, how far it is, and the way out. */
import type { Progress } from "../sdk/progress.ts";
import { Corners } from "./corners.tsx";
import { PicturePreview } from "./picture-preview.tsx";
import type { Picture } from "./view.ts";
import { bytesWords, stageWords } from "./wording.ts";

export function Working({ picture, progress, onCancel }: { picture: Picture; progress: Progress | null; onCancel: () => void }) {
  return (
    <section class="working">
      <div class="scan" data-reading={progress?.stage === "reading"}>
        <Corners />
        <PicturePreview picture={picture} />
        <div class="beam" aria-hidden="true" />
      </div>
      <Bar progress={progress} />
      <button type="button" class="button" onClick={onCancel}>
        Cancel
      </button>
    </section>
  );
}

function Bar({ progress }: { progress: Progress | null }) {
  if (progress?.stage !== "downloading") {
    return (
      <div class="bar" data-testid="progress">
        <div class="track" role="progressbar" aria-label={stageWords(progress)}>
          <div class="moving" />
        </div>
      </div>
    );
  }
  const { loadedBytes, totalBytes } = progress;
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
      <p class="small">Once. It is kept in this browser for the next time.</p>
    </div>
  );
}
