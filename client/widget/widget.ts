/**
 * /widget.js, a classic script of one tag:
 *
 *   <script src="https://operator.example/widget.js" data-key="lh_pk_…" data-model="ocr" data-user="user-456" async></script>
 *
 * - With `data-key` it puts a widget right behind its tag (at the end of the body for a tag in the head).
 * - Without, it only defines `<leasehold-widget>`; a page that has no such element either is told what is missing.
 * - Loaded twice, it defines the element once; every tag with a key has a widget of its own.
 */
import { LeaseholdWidget } from "./element.ts";
import { ownScript } from "./operator.ts";
import { ATTRIBUTES } from "./settings.ts";

const TAG = "leasehold-widget";

function place(script: HTMLScriptElement): void {
  const widget = document.createElement(TAG);
  for (const name of ATTRIBUTES) {
    const value = script.dataset[name];
    if (value !== undefined) widget.setAttribute(name, value);
  }
  if (document.head.contains(script)) document.body.append(widget);
  else script.after(widget);
}

if (!customElements.get(TAG)) customElements.define(TAG, LeaseholdWidget);

const script = ownScript();
if (script) {
  const begin = () => {
    // A tag without a key is a mistake, unless the page has elements of its own: then the tag only brings the code.
    if (script.dataset.key !== undefined || !document.querySelector(TAG)) place(script);
  };
  const isWaiting = document.readyState === "loading" && (script.dataset.key === undefined || document.head.contains(script));
  if (isWaiting) document.addEventListener("DOMContentLoaded", begin, { once: true });
  else begin();
}
