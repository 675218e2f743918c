/**
 * The whole of what the widget shows. Draws what it is given and reports what the person does; starts nothing itself.
 */
import { useRef } from "preact/hooks";
import type { Engine } from "../sdk/progress.ts";
import { Corners } from "./corners.tsx";
import { DropZone } from "./drop-zone.tsx";
import { EngineChip } from "./engine-chip.tsx";
import { Failure } from "./failure.tsx";
import { Lock, Mark, Slip } from "./icons.tsx";
import { QuotaLine } from "./quota-line.tsx";
import { Reading } from "./reading.tsx";
import { linesOf } from "./text-lines.ts";
import type { View } from "./view.ts";
import { linesWords, stageWords } from "./wording.ts";
import type { WidgetQuota } from "../widget/protocol.ts";
import { Working } from "./working.tsx";

export interface CardProps {
  readonly view: View;
  readonly engine: Engine | null;
  readonly quota: WidgetQuota | null;
  readonly isDragging: boolean;
  readonly onPicture: (file: File) => void;
  readonly onCancel: () => void;
  readonly onRetry: () => void;
}

export function Card({ view, engine, quota, isDragging, onPicture, onCancel, onRetry }: CardProps) {
  const input = useRef<HTMLInputElement>(null);
  const choose = () => input.current?.click();
  return (
    <main class="card" data-view={view.kind}>
      <header class="head">
        <Mark />
        <p class="status" role="status" data-testid="status" data-state={view.kind === "working" ? (view.progress?.stage ?? "opening") : view.kind}>
          {statusOf(view)}
        </p>
        {engine && <EngineChip engine={engine} />}
      </header>

      {view.kind === "empty" && <DropZone onChoose={choose} />}
      {view.kind === "working" && <Working picture={view.picture} progress={view.progress} onCancel={onCancel} />}
      {view.kind === "result" && <Reading key={view.picture.id} picture={view.picture} result={view.result} onChoose={choose} />}
      {view.kind === "failed" && <Failure key={view.picture.id} picture={view.picture} error={view.error} onRetry={onRetry} onChoose={choose} />}

      <footer class="foot">
        <p class="promise">
          <Lock /> Runs in your browser. Your picture is not uploaded.
        </p>
        {quota && <QuotaLine quota={quota} />}
      </footer>

      <input
        ref={input}
        class="unseen"
        type="file"
        accept="image/*"
        tabIndex={-1}
        aria-label="Picture to read"
        data-testid="file-input"
        onChange={({ currentTarget }) => {
          const file = currentTarget.files?.[0];
          currentTarget.value = ""; // so that choosing the same file again counts as a choice
          if (file) onPicture(file);
        }}
      />
      {isDragging && (
        <div class="veil" aria-hidden="true">
          <Corners />
          <div>
            <Slip />
            <p>Drop it to read it</p>
          </div>
        </div>
      )}
    </main>
  );
}

function statusOf(view: View): string {
  switch (view.kind) {
    case "empty":
      return "Ready for a picture";
    case "working":
      return stageWords(view.progress);
    case "result":
      return `${linesWords(linesOf(view.result.blocks).length)} read`;
    case "failed":
      return "Nothing was read";
  }
}
