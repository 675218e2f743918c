/** Light, dark, or as the visitor's system says: on the root, where the style sheet looks. */
import { type Theme, THEMES } from "../widget/protocol.ts";
import { oneOf } from "../widget/settings.ts";

export function showTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
}

export const themeInAddress = () => oneOf(THEMES, new URLSearchParams(location.search).get("theme"));
