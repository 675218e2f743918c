/**
 * The widget's inside: pictures in, text out, and every turn of it told to the page that holds the frame.
 */
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Engine } from "../sdk/progress.ts";
import type { WidgetError } from "../widget/protocol.ts";
import type { LeaseholdError } from "../errors.ts";
import { Card } from "./card.tsx";
import type { Line } from "./greeting.ts";
import { textOf } from "./text-lines.ts";
import { showTheme } from "./theme.ts";
import { usePictures } from "./use-pictures.ts";
import { type OnQuota, useQuota } from "./use-quota.ts";
import { type Ending, type ReadPicture, useReader } from "./use-reader.ts";

export interface AppProps {
  readonly line: Line;
  readonly read: ReadPicture;
  readonly onQuota: OnQuota;
}

export function App({ line, read, onQuota }: AppProps) {
  const [engine, setEngine] = useState<Engine | null>(null);
  const quota = useQuota(line, onQuota);
  const { view, start, stop } = useReader(read);

  const begin = useCallback(
    (blob: Blob, id: number | null = null, onEnd?: () => void) =>
      start(blob, (ending) => {
        if (ending.kind === "result") setEngine(ending.result);
        tell(line, id, ending);
        onEnd?.();
      }),
    [line, start],
  );
  const isDragging = usePictures(begin);

  useEffect(() => {
    if (view.kind === "working" && view.progress?.stage === "reading") setEngine(view.progress.engine);
  }, [view]);

  useEffect(() => {
    const runs = new Map<number, { stop(): void }>();
    line.listen((message) => {
      if (message.kind === "theme") showTheme(message.theme);
      else if (message.kind === "abort") runs.get(message.id)?.stop();
      else runs.set(message.id, begin(message.image, message.id, () => runs.delete(message.id)));
    });
    line.send({ kind: "ready" });
  }, [line, begin]);

  return (
    <Card
      view={view}
      engine={engine}
      quota={quota}
      isDragging={isDragging}
      onPicture={begin}
      onCancel={stop}
      onRetry={() => {
        if (view.kind === "failed") begin(view.picture.blob);
      }}
    />
  );
}

function tell(line: Line, id: number | null, ending: Ending): void {
  if (ending.kind === "result") line.send({ kind: "result", id, result: { ...ending.result, text: textOf(ending.result.blocks) } });
  else if (id !== null || ending.error.code !== "aborted") line.send({ kind: "error", id, error: asData(ending.error) });
}

const asData = ({ code, message, limit, remaining, resetsAt, retryAfterSeconds, requestId }: LeaseholdError): WidgetError => ({
  code,
  message,
  limit,
  remaining,
  resetsAt,
  retryAfterSeconds,
  requestId,
});
