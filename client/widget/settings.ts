/**
 * The settings of one widget, from attributes: of the element (`key`), or of its script tag (`data-key`). Pure.
 *
 * - A theme or backend that isn't one counts as "auto", a view that isn't one as "picture"; `fault` says what is missing where it can't work at all.
 */
import { BACKENDS, type Settings, THEMES, VIEWS } from "./protocol.ts";

export const ATTRIBUTES = ["key", "model", "user", "user-signature", "theme", "backend", "view"] as const;
export type AttributeName = (typeof ATTRIBUTES)[number];

export type ReadSettings = { readonly ok: true; readonly settings: Settings } | { readonly ok: false; readonly fault: string };

export function readSettings(attribute: (name: AttributeName) => string | null): ReadSettings {
  const key = attribute("key")?.trim();
  const model = attribute("model")?.trim();
  if (!key) return { ok: false, fault: 'This widget has no key. Give it one: data-key="lh_pk_…" on the script tag, or key="lh_pk_…" on the element.' };
  if (!key.startsWith("lh_pk_")) return { ok: false, fault: "This widget's key is not a publishable key: it must start with lh_pk_. Never put a secret key in a page." };
  if (!model) return { ok: false, fault: 'This widget has no model. Give it one: data-model="ocr" on the script tag, or model="ocr" on the element.' };
  return {
    ok: true,
    settings: {
      key,
      model,
      user: attribute("user")?.trim() || undefined,
      userSignature: attribute("user-signature")?.trim() || undefined,
      theme: oneOf(THEMES, attribute("theme")),
      backend: oneOf(BACKENDS, attribute("backend")),
      view: oneOf(VIEWS, attribute("view")),
    },
  };
}

/** What the frame's address carries: what the server needs for its headers, and what avoids a flash. Never the user. */
export function embedUrl(operator: string, { key, model, theme }: Settings): string {
  const url = new URL("/embed", operator);
  url.searchParams.set("key", key);
  url.searchParams.set("model", model);
  if (theme !== "auto") url.searchParams.set("theme", theme);
  return url.href;
}

export function oneOf<T extends string>(values: readonly [T, ...T[]], value: string | null): T {
  return values.find((one) => one === value) ?? values[0];
}
