/**
 * A picture that has been read: the boxes on it, the lines beside it, each pointing at the other.
 *
 * - A line or box is the active one while the pointer is on it or the focus in it.
 * - Arrow keys move between lines, Enter copies the one that has the focus.
 */
import { useState } from "preact/hooks";
import type { ReadResult } from "../sdk/read-image.ts";
import { CopyButton } from "./copy-button.tsx";
import { Picture as PictureIcon } from "./icons.tsx";
import { Lines } from "./lines.tsx";
import { PictureBoxes } from "./picture-boxes.tsx";
import { linesOf, textOf } from "./text-lines.ts";
import type { Picture } from "./view.ts";

interface ReadingProps {
  readonly picture: Picture;
  readonly result: ReadResult;
  readonly onChoose: () => void;
}

/** The active line, and where the person points at it: only the other side moves it into view. */
export interface Active {
  readonly line: number;
  readonly from: "picture" | "text";
}

export function Reading({ picture, result, onChoose }: ReadingProps) {
  const [active, setActive] = useState<Active | null>(null);
  const { blocks, width, height } = result;
  const lines = linesOf(blocks);
  return (
    <section class="reading">
      <PictureBoxes url={picture.url} width={width} height={height} lines={lines} active={active} onActive={setActive} />
      <div class="text-side">
        <div class="buttons">
          <CopyButton text={textOf(blocks)} label="Copy all" class="button main" />
          <button type="button" class="button" onClick={onChoose}>
            <PictureIcon /> New picture
          </button>
        </div>
        <Lines lines={lines} active={active} onActive={setActive} />
      </div>
    </section>
  );
}
