/** The empty state: what this is, and the three ways to give it a picture. */
import { Corners } from "./corners.tsx";
import { Picture, Slip } from "./icons.tsx";

export function DropZone({ onChoose }: { onChoose: () => void }) {
  return (
    <section class="drop">
      <Corners />
      <Slip />
      <h1>Read the text in a picture</h1>
      <p class="drop-how">
        <span class="with-mouse">Drop it here, paste it, or choose a file.</span>
        <span class="with-touch">Take a photo, or choose a picture.</span>
      </p>
      <button type="button" class="button main" onClick={onChoose}>
        <Picture /> Choose a picture
      </button>
      <p class="small">JPEG, PNG, WebP and more, up to 40 megapixels</p>
    </section>
  );
}
