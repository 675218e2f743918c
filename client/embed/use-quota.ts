/** What is left of the tenant's allowance, as the widget shows it and tells it to the page that holds the frame. */
import { useEffect, useState } from "preact/hooks";
import type { WidgetQuota } from "../widget/protocol.ts";
import type { Line } from "./greeting.ts";

/** Returns the end of the subscription. */
export type OnQuota = (listener: (quota: WidgetQuota) => void) => () => void;

export function useQuota(line: Line, onQuota: OnQuota): WidgetQuota | null {
  const [quota, setQuota] = useState<WidgetQuota | null>(null);
  useEffect(
    () =>
      onQuota(({ remaining, limit, resetsAt, window }) => {
        const now = { remaining, limit, resetsAt, window };
        setQuota(now);
        line.send({ kind: "quota", quota: now });
      }),
    [line, onQuota],
  );
  return quota;
}
