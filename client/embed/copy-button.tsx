/** Copies a text and says that it did, in place and to a screen reader. */
import { useEffect, useState } from "preact/hooks";
import { copyText } from "./clipboard.ts";
import { Check, Copy } from "./icons.tsx";

const SAID_FOR_MS = 1800;

export function CopyButton({ text, label, class: className, hasWords = true }: { text: string; label: string; class: string; hasWords?: boolean }) {
  const [outcome, setOutcome] = useState<"copied" | "refused" | null>(null);
  useEffect(() => {
    if (!outcome) return;
    const timer = setTimeout(() => setOutcome(null), SAID_FOR_MS);
    return () => clearTimeout(timer);
  }, [outcome]);
  const words = outcome === "copied" ? "Copied" : outcome === "refused" ? "Copying was refused" : label;
  return (
    <>
      <button type="button" class={className} aria-label={words} title={hasWords ? undefined : words} onClick={async () => setOutcome((await copyText(text)) ? "copied" : "refused")}>
        {outcome === "copied" ? <Check /> : <Copy />}
        {hasWords && words}
      </button>
      <span class="unseen" role="status">
        {outcome ? words : ""}
      </span>
    </>
  );
}
