/**
 * `<leasehold-widget key="lh_pk_…" model="ocr" user="…" user-signature="…" theme="auto|light|dark" backend="auto|webgpu|wasm">`
 *
 * - Dispatches `leasehold:ready`, `leasehold:result`, `leasehold:error` and `leasehold:quota`; they bubble, and their
 *   `detail` is plain data.
 * - `read(image)` does what dropping a picture does, and gives its result; it rejects with a `LeaseholdError`.
 * - What keeps it from working (no key, an origin that the key does not allow) stands in the page in plain words, in
 *   the console, and in a `leasehold:error`.
 * - Each attribute may be spelled `data-…` as well: frameworks keep `key` for themselves.
 * - A changed `key`, `model`, `user`, `user-signature` or `backend` starts it anew; a changed `theme` does not.
 */
import { LeaseholdError } from "../errors.ts";
import { EmbedFrame } from "./frame.ts";
import { operatorOrigin } from "./operator.ts";
import { type FromEmbed, THEMES, type WidgetResult } from "./protocol.ts";
import { ATTRIBUTES, oneOf, readSettings } from "./settings.ts";
import { STYLES } from "./styles.ts";

export class LeaseholdWidget extends HTMLElement {
  static readonly observedAttributes: readonly string[] = ATTRIBUTES.flatMap((name) => [name, `data-${name}`]);

  readonly #root = this.attachShadow({ mode: "open" });
  readonly #note = document.createElement("p");
  #frame: EmbedFrame | null = null;
  #restart = 0;

  constructor() {
    super();
    const style = document.createElement("style");
    style.textContent = STYLES;
    this.#note.setAttribute("role", "status");
    this.#root.append(style, this.#note);
  }

  connectedCallback(): void {
    this.#start();
  }

  disconnectedCallback(): void {
    this.#stop();
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (!this.isConnected || before === now) return;
    if (name.endsWith("theme")) return this.#frame?.send({ kind: "theme", theme: oneOf(THEMES, now) });
    // Several attributes are often set in a row: start anew once, with all of them.
    clearTimeout(this.#restart);
    this.#restart = window.setTimeout(() => this.#start());
  }

  /** Reads one picture as if it had been dropped here. */
  read(image: Blob, { signal }: { signal?: AbortSignal } = {}): Promise<WidgetResult> {
    if (!this.#frame) return Promise.reject(new LeaseholdError("invalid-request", "The widget is not in the page, or has no key."));
    return this.#frame.read(image, signal);
  }

  #start(): void {
    this.#stop();
    const read = readSettings((name) => this.getAttribute(name) ?? this.getAttribute(`data-${name}`));
    if (!read.ok) return this.#fail(new LeaseholdError("invalid-request", read.fault));
    this.dataset.state = "loading";
    this.#note.textContent = "Loading…";
    this.#frame = new EmbedFrame(operatorOrigin(), read.settings, {
      onReady: () => {
        this.dataset.state = "ready";
        this.#note.textContent = "";
        this.#tell("ready", { model: read.settings.model });
      },
      onMessage: (message) => this.#relay(message),
      onUnanswered: (error) => this.#fail(error),
    });
    this.#root.append(this.#frame.element);
  }

  #stop(): void {
    clearTimeout(this.#restart);
    this.#frame?.close();
    this.#frame = null;
  }

  #relay(message: Exclude<FromEmbed, { kind: "ready" | "height" }>): void {
    if (message.kind === "result") this.#tell("result", message.result);
    else if (message.kind === "error") this.#tell("error", message.error);
    else this.#tell("quota", message.quota);
  }

  #fail(error: LeaseholdError): void {
    this.dataset.state = "failed";
    this.dataset.code = error.code;
    this.#note.textContent = error.message;
    console.error(`[leasehold] ${error.message}`);
    this.#tell("error", { code: error.code, message: error.message });
  }

  #tell(name: "ready" | "result" | "error" | "quota", detail: unknown): void {
    this.dispatchEvent(new CustomEvent(`leasehold:${name}`, { detail, bubbles: true, composed: true }));
  }
}
