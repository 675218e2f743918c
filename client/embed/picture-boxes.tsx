/** The picture with boxes around its lines, in the picture's own pixels. */
import { useEffect, useRef } from "preact/hooks";
import type { Active } from "./reading.tsx";
import { stepTo } from "./step.ts";
import type { TextLine } from "./text-lines.ts";

interface PictureBoxesProps {
  readonly url: string;
  readonly width: number;
  readonly height: number;
  readonly lines: readonly TextLine[];
  readonly active: Active | null;
  readonly onActive: (active: Active | null) => void;
}

export function PictureBoxes({ url, width, height, lines, active, onActive }: PictureBoxesProps) {
  const boxes = useRef<SVGSVGElement>(null);
  const line = active?.line ?? null;
  const boxAt = (index: number) => boxes.current?.querySelectorAll<SVGElement>("g")[index];

  useEffect(() => {
    if (line !== null && active?.from === "text") boxAt(line)?.scrollIntoView({ block: "nearest" });
  }, [line, active?.from]);

  const onKeyDown = (event: KeyboardEvent, index: number) => {
    const next = stepTo(event.key, index, lines.length);
    if (next === null) return;
    event.preventDefault();
    boxAt(next)?.focus();
  };

  return (
    <div class="picture-side" onPointerLeave={() => onActive(null)}>
      <div class="sheet" style={{ "--ratio": width / height, "--natural": `${width}px`, aspectRatio: `${width} / ${height}` }}>
        <img src={url} alt="The picture that was read" />
        <svg ref={boxes} viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="group" aria-label="Boxes of the lines">
          {lines.map(({ text, blocks }, index) => (
            <g
              key={index}
              data-active={index === line}
              style={{ animationDelay: `${Math.min(600, index * 25)}ms` }}
              role="img"
              aria-label={text}
              tabIndex={index === (line ?? 0) ? 0 : -1}
              onPointerEnter={() => onActive({ line: index, from: "picture" })}
              onFocus={() => onActive({ line: index, from: "picture" })}
              onKeyDown={(event) => onKeyDown(event, index)}
            >
              {blocks.map(({ box }, part) => (
                <polygon key={part} points={box.map(({ x, y }) => `${x},${y}`).join(" ")} />
              ))}
            </g>
          ))}
        </svg>
      </div>
    </div>
  );
}
