/**
 * Waits for the widget's hello and gives the line to it.
 *
 * - Heard only from the window that holds this frame, once, with a port, and from the origin that the browser names as
 *   the parent's where it names one. Which parents may hold the frame at all is the server's `frame-ancestors`.
 * - The hello's key and model must be those in the address, for which the server set that header.
 * - Anything else is left unanswered: the widget then says so in the page.
 */
import { BACKENDS, type FromEmbed, type Hello, type Settings, THEMES, type ToEmbed, VIEWS } from "../widget/protocol.ts";

export interface Line {
  readonly settings: Settings;
  send(message: FromEmbed): void;
  /** From now on; what came before is delivered first. */
  listen(listener: (message: ToEmbed) => void): void;
}

export function awaitHello(): Promise<Line> {
  return new Promise((resolve) => {
    const hear = (event: MessageEvent<unknown>) => {
      const port = event.ports[0];
      if (event.source !== window.parent || window.parent === window || !port) return;
      if (!isExpectedOrigin(event.origin, parentOrigin()) || !isHello(event.data, new URLSearchParams(location.search))) return;
      removeEventListener("message", hear);
      resolve({
        settings: event.data.settings,
        send: (message) => port.postMessage(message),
        listen: (listener) => {
          port.onmessage = ({ data }: MessageEvent<ToEmbed>) => listener(data);
        },
      });
    };
    addEventListener("message", hear);
  });
}

/** An opaque origin ("null": a sandboxed frame, a file) can't be among a key's origins. */
export function isExpectedOrigin(origin: string, parent: string | null): boolean {
  return origin !== "null" && (parent === null || origin === parent);
}

export function isHello(data: unknown, address: URLSearchParams): data is Hello {
  if (typeof data !== "object" || data === null || (data as Hello).kind !== "leasehold:hello") return false;
  const settings: Partial<Settings> | undefined = (data as Hello).settings;
  return (
    settings !== undefined &&
    typeof settings.key === "string" &&
    typeof settings.model === "string" &&
    settings.key === address.get("key") &&
    settings.model === address.get("model") &&
    (settings.user === undefined || typeof settings.user === "string") &&
    (settings.userSignature === undefined || typeof settings.userSignature === "string") &&
    THEMES.some((theme) => theme === settings.theme) &&
    BACKENDS.some((backend) => backend === settings.backend) &&
    (settings.view === undefined || VIEWS.some((view) => view === settings.view)) // a loader from before there were views
  );
}

function parentOrigin(): string | null {
  const named = location.ancestorOrigins?.[0]; // not in Firefox
  if (named) return named;
  return document.referrer ? new URL(document.referrer).origin : null;
}
