/** The lines of text, as text: they can be selected across, and each can be focused and copied alone. */
import { Fragment } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { copyText } from "./clipboard.ts";
import { CopyButton } from "./copy-button.tsx";
import type { Active } from "./reading.tsx";
import { stepTo } from "./step.ts";
import type { TextLine } from "./text-lines.ts";

interface LinesProps {
  readonly lines: readonly TextLine[];
  readonly active: Active | null;
  readonly onActive: (active: Active | null) => void;
}

/** Below this, a line is marked as a guess. */
const SURE = 0.75;

export function Lines({ lines, active, onActive }: LinesProps) {
  const list = useRef<HTMLPreElement>(null);
  const [top, setTop] = useState(0);
  const line = active?.line ?? null;
  const itemAt = (index: number) => list.current?.querySelectorAll<HTMLElement>("[role=option]")[index];

  useEffect(() => {
    const item = line === null ? undefined : itemAt(line);
    if (!item) return;
    setTop(item.offsetTop);
    if (active?.from === "picture") item.scrollIntoView({ block: "nearest" });
  }, [line, active?.from]);

  const onKeyDown = (event: KeyboardEvent, index: number) => {
    const next = stepTo(event.key, index, lines.length);
    if (next !== null) {
      event.preventDefault();
      itemAt(next)?.focus();
    } else if (event.key === "Enter") {
      event.preventDefault();
      void copyText(lines[index]?.text ?? "");
    }
  };

  return (
    <div class="lines" onPointerLeave={() => onActive(null)}>
      <pre ref={list} data-testid="result-text" role="listbox" aria-label="Lines of text: arrow keys move, Enter copies">
        {lines.map(({ text, confidence }, index) => (
          <Fragment key={index}>
            {index > 0 && "\n"}
            <span
              role="option"
              aria-selected={index === line}
              class={confidence < SURE ? "line guess" : "line"}
              title={confidence < SURE ? "Not sure about this line" : undefined}
              tabIndex={index === (line ?? 0) ? 0 : -1}
              onPointerEnter={() => onActive({ line: index, from: "text" })}
              onFocus={() => onActive({ line: index, from: "text" })}
              onKeyDown={(event) => onKeyDown(event, index)}
            >
              {text}
            </span>
          </Fragment>
        ))}
      </pre>
      {line !== null && (
        <div class="line-copy" style={{ top: `${top}px` }}>
          <CopyButton key={line} text={lines[line]?.text ?? ""} label="Copy this line" class="button icon-only" hasWords={false} />
        </div>
      )}
    </div>
  );
}
