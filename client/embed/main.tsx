/**
 * /embed: the frame on the operator's origin. It works only inside a widget, which gives it its settings.
 *
 * - Opened by itself it says so: a key is good on its own pages only, and this address would be a way around that.
 * - A malformed key is told when the first picture comes, as any other refusal.
 */
import "@fontsource-variable/instrument-sans/index.css";
import "./embed.css";
import { render } from "preact";
import { LeaseholdError } from "../errors.ts";
import { Leasehold } from "../sdk/leasehold.ts";
import type { Settings } from "../widget/protocol.ts";
import { App, type AppProps } from "./app.tsx";
import { awaitHello, type Line } from "./greeting.ts";
import { showTheme, themeInAddress } from "./theme.ts";

const root = document.getElementById("app") as HTMLElement;
showTheme(themeInAddress());

if (window.parent === window) {
  render(<p class="alone">This page is the inside of a Leasehold widget. It works on the pages of those who embed it.</p>, root);
} else {
  void awaitHello().then(begin);
}

function begin(line: Line): void {
  showTheme(line.settings.theme);
  new ResizeObserver(() => line.send({ kind: "height", pixels: Math.ceil(root.getBoundingClientRect().height) })).observe(root);
  render(<App line={line} {...readerFor(line.settings)} />, root);
}

function readerFor({ key, model, user, userSignature, backend }: Settings): Pick<AppProps, "read" | "onQuota"> {
  try {
    const leasehold = new Leasehold({ publishableKey: key, user, userSignature, backend });
    return { read: (request) => leasehold.ocr.read({ model, ...request }), onQuota: (listener) => leasehold.on("quota", listener) };
  } catch (error) {
    if (!(error instanceof LeaseholdError)) throw error;
    return { read: () => Promise.reject(error), onQuota: () => () => undefined };
  }
}
