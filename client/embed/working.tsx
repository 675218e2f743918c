/** A picture on its way: the picture, how far it is, and the way out. */
import type { Progress } from "../sdk/progress.ts";
import { Bar } from "./bar.tsx";
import { Corners } from "./corners.tsx";
import { PicturePreview } from "./picture-preview.tsx";
import type { Picture } from "./view.ts";

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
