/**
 * /embed: the frame on the operator's origin. It works only inside a widget, which gives it its settings.
 *
 * - Opened by itself it says so: a key is good on its own pages only, and this address would be a way around that.
 * - A malformed key is told when the first picture or message comes, as any other refusal.
 */
import "@fontsource-variable/instrument-sans/index.css";
import "./embed.css";
import "./chat/chat.css";
import { render } from "preact";
import { LeaseholdError } from "../errors.ts";
import { Leasehold } from "../sdk/leasehold.ts";
import type { QuotaView } from "../sdk/quota.ts";
import type { Settings } from "../widget/protocol.ts";
import { App } from "./app.tsx";
import { ChatApp } from "./chat/chat-app.tsx";
import type { Talk } from "./chat/use-talk.ts";
import { awaitHello, type Line } from "./greeting.ts";
import { showTheme, themeInAddress } from "./theme.ts";
import type { ReadPicture } from "./use-reader.ts";

/** Small models that always take the likeliest word soon say the same again and again. */
const LIVELY = { temperature: 0.4, top_p: 0.9, repetition_penalty: 1.1 } as const;

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
  const { settings } = line;
  const { leasehold, refusal } = sdkFor(settings);
  const onQuota = (listener: (quota: QuotaView) => void) => leasehold?.on("quota", listener) ?? (() => undefined);
  if (settings.view === "chat") {
    const talk: Talk = (request, options) => (leasehold ? leasehold.chat.completions.create({ ...LIVELY, ...request, model: settings.model, stream: true }, options) : Promise.reject(refusal));
    render(<ChatApp line={line} talk={talk} onQuota={onQuota} />, root);
  } else {
    const read: ReadPicture = (request) => (leasehold ? leasehold.ocr.read({ model: settings.model, ...request }) : Promise.reject(refusal));
    render(<App line={line} read={read} onQuota={onQuota} />, root);
  }
}

function sdkFor({ key, user, userSignature, backend }: Settings): { readonly leasehold: Leasehold | null; readonly refusal: LeaseholdError | null } {
  try {
    return { leasehold: new Leasehold({ publishableKey: key, user, userSignature, backend }), refusal: null };
  } catch (error) {
    if (!(error instanceof LeaseholdError)) throw error;
    return { leasehold: null, refusal: error };
  }
}
