/**
 * What the widget element (tenant's page) and the embed (operator's frame) say to each other.
 *
 * - The element greets the frame once a load, by `window.postMessage` to the operator's origin, with a `MessagePort`;
 *   all else goes over that port.
 * - The frame's address already names key and model: the server sets `frame-ancestors` by that key. A hello that names
 *   others is not answered, so one key's pages can't be used for another key.
 * - Only plain data crosses: no functions, no errors, no handles but the picture's Blob.
 */
import type { OcrBlock } from "../runtime/host.ts";
import type { ErrorCode } from "../errors.ts";
import type { QuotaView } from "../sdk/quota.ts";
import type { ReadResult } from "../sdk/read-image.ts";

export const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];
export const BACKENDS = ["auto", "webgpu", "wasm"] as const;
export type BackendWish = (typeof BACKENDS)[number];

/** What the widget is: a place for pictures whose text is read, or a chat. */
export const VIEWS = ["picture", "chat"] as const;
export type WidgetView = (typeof VIEWS)[number];

export interface Settings {
  readonly key: string;
  readonly model: string;
  readonly user?: string;
  /** The tenant's back end vouches for `user`. */
  readonly userSignature?: string;
  readonly theme: Theme;
  readonly backend: BackendWish;
  readonly view: WidgetView;
}

export interface Hello {
  readonly kind: "leasehold:hello";
  readonly settings: Settings;
}

export type ToEmbed =
  | { readonly kind: "read"; readonly id: number; readonly image: Blob }
  | { readonly kind: "abort"; readonly id: number }
  | { readonly kind: "theme"; readonly theme: Theme };

/** `id` is that of the `read` it answers; null where a person chose the picture. */
export type FromEmbed =
  | { readonly kind: "ready" }
  | { readonly kind: "height"; readonly pixels: number }
  | { readonly kind: "result"; readonly id: number | null; readonly result: WidgetResult }
  | { readonly kind: "error"; readonly id: number | null; readonly error: WidgetError }
  | { readonly kind: "quota"; readonly quota: WidgetQuota };

export interface WidgetResult extends Omit<ReadResult, "blocks"> {
  /** The lines, joined by line feeds. */
  readonly text: string;
  readonly blocks: readonly OcrBlock[];
}

/** A `LeaseholdError` as plain data. */
export interface WidgetError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly limit?: number;
  readonly remaining?: number;
  readonly resetsAt?: string;
  readonly retryAfterSeconds?: number;
  readonly requestId?: string;
}

export type WidgetQuota = Pick<QuotaView, "remaining" | "limit" | "resetsAt" | "window">;
