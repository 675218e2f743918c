/**
 * What becomes of an import when a slice of it has failed: tried again after a growing pause, or ended with a code. Pure.
 *
 * - What is final ends it at once. All else ends it when it has failed `MAX_ATTEMPTS` times in a row, with no chunk that
 *   came in between: a hub that can't be reached, and what failed on our side likewise. So does the object's death.
 */
import type { ImportFault } from "../../schema/contract/imports.ts";
import { HubFault } from "./hub.ts";

const MAX_PAUSE_MS = 60_000;
export const MAX_ATTEMPTS = 10;

interface Ended {
  readonly kind: "ended";
  readonly code: ImportFault;
  readonly detail: string;
}

export type AfterFailure = { readonly kind: "again"; readonly error: string; readonly at: number } | Ended;

/** `attempts`: how often it had failed in a row before. */
export function afterFailure(cause: unknown, attempts: number, now: number): AfterFailure {
  const { code, message, isFinal } = cause instanceof HubFault ? cause : OURS;
  if (isFinal || attempts + 1 >= MAX_ATTEMPTS) return { kind: "ended", code, detail: message };
  return { kind: "again", error: message, at: now + Math.min(MAX_PAUSE_MS, 1000 * 2 ** attempts) };
}

/** Of slices that never ended: the object died in them. */
export const afterDeaths = (attempts: number): Ended | null => (attempts >= MAX_ATTEMPTS ? { kind: "ended", code: OURS.code, detail: OURS.message } : null);

const OURS = { code: "service-failed", message: "Something failed on our side.", isFinal: false } as const;
