/** A picture as the browser shows it; an icon where the browser can't. */
import { useState } from "preact/hooks";
import { Picture as PictureIcon } from "./icons.tsx";
import type { Picture } from "./view.ts";

export function PicturePreview({ picture }: { picture: Picture }) {
  const [broken, setBroken] = useState<string | null>(null);
  if (broken === picture.url) {
    return (
      <div class="no-preview">
        <PictureIcon />
      </div>
    );
  }
  return <img class="preview" src={picture.url} alt="" onError={() => setBroken(picture.url)} />;
}
