/** The picture with a box around each line, in the picture's own pixels. */
import { useEffect, useRef } from "preact/hooks";
import type { OcrBlock } from "../runtime/host.ts";
import type { Active } from "./reading.tsx";
import { stepTo } from "./step.ts";

interface PictureBoxesProps {
  readonly url: string;
  readonly width: number;
  readonly height: number;
  readonly blocks: readonly OcrBlock[];
  readonly active: Active | null;
  readonly onActive: (active: Active | null) => void;
}

export function PictureBoxes({ url, width, height, blocks, active, onActive }: PictureBoxesProps) {
  const boxes = useRef<SVGSVGElement>(null);
  const line = active?.line ?? null;
  const boxAt = (index: number) => boxes.current?.querySelectorAll<SVGElement>("polygon")[index];

  useEffect(() => {
    if (line !== null && active?.from === "text") boxAt(line)?.scrollIntoView({ block: "nearest" });
  }, [line, active?.from]);

  const onKeyDown = (event: KeyboardEvent, index: number) => {
    const next = stepTo(event.key, index, blocks.length);
    if (next === null) return;
    event.preventDefault();
    boxAt(next)?.focus();
  };

  return (
    <div class="picture-side" onPointerLeave={() => onActive(null)}>
      <div class="sheet" style={{ "--ratio": width / height, "--natural": `${width}px`, aspectRatio: `${width} / ${height}` }}>
        <img src={url} alt="The picture that was read" />
        <svg ref={boxes} viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="group" aria-label="Boxes of the lines">
          {blocks.map(({ box, text }, index) => (
            <polygon
              key={index}
              points={box.map(({ x, y }) => `${x},${y}`).join(" ")}
              data-active={index === line}
              style={{ animationDelay: `${Math.min(600, index * 25)}ms` }}
              role="img"
              aria-label={text}
              tabIndex={index === (line ?? 0) ? 0 : -1}
              onPointerEnter={() => onActive({ line: index, from: "picture" })}
              onFocus={() => onActive({ line: index, from: "picture" })}
              onKeyDown={(event) => onKeyDown(event, index)}
            />
          ))}
        </svg>
      </div>
    </div>
  );
}
