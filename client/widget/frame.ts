/**
 * One frame on the operator's origin, and the line to it.
 *
 * - `ready` fires once the embed has answered; nothing is sent before.
 * - An embed that does not answer is a coded error: most often `origin-not-allowed`, because the browser refuses to show
 *   it on this page. Should it answer after all, `ready` still fires.
 * - `close` ends the line; whatever waits for an answer is rejected with `aborted`.
 */
import { type ErrorCode, LeaseholdError } from "../errors.ts";
import type { FromEmbed, Hello, Settings, ToEmbed, WidgetError, WidgetResult, WidgetView } from "./protocol.ts";
import { embedUrl } from "./settings.ts";

export interface FrameEvents {
  readonly onReady: () => void;
  readonly onMessage: (message: Exclude<FromEmbed, { kind: "ready" | "height" }>) => void;
  readonly onUnanswered: (error: LeaseholdError) => void;
}

const TITLES: Record<WidgetView, string> = { picture: "Read the text in a picture", chat: "Chat" };

/** The embed's script has run when its frame has loaded, so an answer is due at once; the rest is for slow networks. */
const ANSWER_AFTER_LOAD_MS = 4000;
const ANSWER_AT_ALL_MS = 30_000;

interface Waiting {
  resolve(result: WidgetResult): void;
  reject(error: LeaseholdError): void;
}

export class EmbedFrame {
  readonly element = document.createElement("iframe");
  readonly #operator: string;
  readonly #settings: Settings;
  readonly #events: FrameEvents;
  readonly #waiting = new Map<number, Waiting>();
  #port: MessagePort | null = null;
  #isReady = false;
  #backlog: ToEmbed[] = [];
  #lastId = 0;
  #timer: number;
  /** Why it did not answer; null while it may still, and once it has. */
  #failure: LeaseholdError | null = null;

  constructor(operator: string, settings: Settings, events: FrameEvents) {
    this.#operator = operator;
    this.#settings = settings;
    this.#events = events;
    this.element.title = TITLES[settings.view];
    this.element.allow = "cross-origin-isolated; clipboard-write";
    this.element.referrerPolicy = "origin";
    this.element.addEventListener("load", () => this.#greet());
    this.element.src = embedUrl(operator, settings);
    this.#timer = window.setTimeout(() => void this.#giveUp(), ANSWER_AT_ALL_MS);
  }

  send(message: ToEmbed): void {
    if (this.#isReady) this.#port?.postMessage(message);
    else this.#backlog.push(message);
  }

  read(image: Blob, signal?: AbortSignal): Promise<WidgetResult> {
    if (!(image instanceof Blob)) return Promise.reject(new LeaseholdError("image-unreadable", "That is not a picture. Give a Blob or a File."));
    if (this.#failure) return Promise.reject(this.#failure);
    if (signal?.aborted) return Promise.reject(stopped());
    const id = ++this.#lastId;
    const answer = new Promise<WidgetResult>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    const onAbort = () => {
      // An embed that is not there yet has nothing to stop.
      if (this.#isReady) this.send({ kind: "abort", id });
      else this.#forget(id);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.send({ kind: "read", id, image });
    return answer.finally(() => signal?.removeEventListener("abort", onAbort));
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#port?.close();
    this.element.remove();
    this.#rejectAll(new LeaseholdError("aborted", "The widget was removed."));
  }

  /** At each load of the frame: a reload inside it starts a new line. */
  #greet(): void {
    const { port1, port2 } = new MessageChannel();
    this.#port?.close();
    this.#port = port1;
    this.#isReady = false;
    port1.onmessage = ({ data }: MessageEvent<FromEmbed>) => this.#hear(data);
    const hello: Hello = { kind: "leasehold:hello", settings: this.#settings };
    // Only the operator's origin gets it: the browser drops it where the frame shows anything else.
    this.element.contentWindow?.postMessage(hello, this.#operator, [port2]);
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#giveUp(), ANSWER_AFTER_LOAD_MS);
  }

  #hear(message: FromEmbed): void {
    switch (message.kind) {
      case "ready": {
        clearTimeout(this.#timer);
        this.#isReady = true;
        this.#failure = null;
        for (const waiting of this.#backlog.splice(0)) this.send(waiting);
        return this.#events.onReady();
      }
      case "height": {
        this.element.style.height = `${message.pixels}px`;
        return;
      }
      case "result": {
        this.#take(message.id)?.resolve(message.result);
        return this.#events.onMessage(message);
      }
      case "error": {
        this.#take(message.id)?.reject(asError(message.error));
        return this.#events.onMessage(message);
      }
      case "quota":
        return this.#events.onMessage(message);
    }
  }

  #take(id: number | null): Waiting | undefined {
    if (id === null) return undefined;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #forget(id: number): void {
    this.#backlog = this.#backlog.filter((message) => !(message.kind === "read" && message.id === id));
    this.#take(id)?.reject(stopped());
  }

  async #giveUp(): Promise<void> {
    const error = await whyUnanswered(this.#operator, this.#settings.key);
    if (this.#isReady) return;
    this.#failure = error;
    this.#rejectAll(error);
    this.#backlog = [];
    this.#events.onUnanswered(error);
  }

  #rejectAll(error: LeaseholdError): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

const stopped = () => new LeaseholdError("aborted", "Stopped.");
const asError = ({ code, message, ...details }: WidgetError) => new LeaseholdError(code, message, details);

/**
 * A frame that the browser refused to show says nothing. Asking the API with the same key tells which it is: a key that
 * is no good, a page that is not among its origins, or a service that is out of reach.
 */
async function whyUnanswered(operator: string, key: string): Promise<LeaseholdError> {
  try {
    const response = await fetch(new URL("/v1/models?limit=1", operator), { headers: { Authorization: `Bearer ${key}` }, cache: "no-store" });
    if (response.ok) return new LeaseholdError("unavailable", "The widget did not start. Load the page again.");
    const { code, detail } = (await response.json()) as { code: ErrorCode; detail: string };
    if (code !== "origin-not-allowed") return new LeaseholdError(code, `The widget can't start: ${detail}`);
    return new LeaseholdError(code, `This key does not allow pages on ${location.origin}. Add this origin to the key, or use another key.`);
  } catch (cause) {
    return new LeaseholdError("network-failed", "The service could not be reached. Check the connection and load the page again.", { cause });
  }
}
