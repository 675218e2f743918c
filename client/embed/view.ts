/**
 * What the widget shows, as one value, and how events change it. Pure.
 *
 * - Events name the picture they belong to; those of a picture that has been replaced or stopped change nothing.
 * - A new picture is taken in every state.
 * - A picture without text is a failure here: the person waits for text.
 */
import type { LeaseholdError } from "../errors.ts";
import type { Progress } from "../sdk/progress.ts";
import type { ReadResult } from "../sdk/read-image.ts";

export interface Picture {
  readonly id: number;
  readonly blob: Blob;
  /** An object URL of the blob. */
  readonly url: string;
}

export type View =
  | { readonly kind: "empty" }
  | { readonly kind: "working"; readonly picture: Picture; readonly progress: Progress | null }
  | { readonly kind: "result"; readonly picture: Picture; readonly result: ReadResult }
  | { readonly kind: "failed"; readonly picture: Picture; readonly error: LeaseholdError };

export type ViewEvent =
  | { readonly kind: "started"; readonly picture: Picture }
  | { readonly kind: "progressed"; readonly picture: Picture; readonly progress: Progress }
  | { readonly kind: "read"; readonly picture: Picture; readonly result: ReadResult }
  | { readonly kind: "failed"; readonly picture: Picture; readonly error: LeaseholdError };

export const EMPTY: View = { kind: "empty" };

export function nextView(view: View, event: ViewEvent): View {
  if (event.kind === "started") return { kind: "working", picture: event.picture, progress: null };
  if (view.kind !== "working" || view.picture.id !== event.picture.id) return view;
  const { picture } = view;
  switch (event.kind) {
    case "progressed":
      return { kind: "working", picture, progress: event.progress };
    case "read":
      return { kind: "result", picture, result: event.result };
    case "failed":
      return event.error.code === "aborted" ? EMPTY : { kind: "failed", picture, error: event.error };
  }
}
