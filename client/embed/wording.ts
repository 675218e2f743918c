/**
 * What is said in words. Pure.
 *
 * - Every code has its words: a new one does not compile until it has.
 * - Words say what happened and what helps, to a visitor of the tenant's page: nothing about keys, leases or workers.
 *   What the site's owner must mend is said as that.
 */
import type { ErrorCode } from "../errors.ts";
import type { Progress } from "../sdk/progress.ts";

/** What the person can do: the same picture again, another one, or nothing but wait. */
export type Remedy = "retry" | "another" | "wait";

export interface Words {
  readonly title: string;
  readonly text: string;
  readonly remedy: Remedy;
}

const words = (title: string, text: string, remedy: Remedy): Words => ({ title, text, remedy });
const OWNER = "The owner of this page has to set it right.";
const used = (what: string) => words(`${what} exceeded`, "No more can be read for now.", "wait");
const busy = (title: string) => words(title, "That was a lot at once. Wait a moment, then try again.", "retry");
/** The model's file was looked at and not run. */
const notRun = words("The model was not run", `Its file is not one that is safe to run. ${OWNER}`, "wait");
const broken = (title: string) => words(title, "Something is wrong at the service's side. Try again in a moment.", "retry");

export const WORDS: Record<ErrorCode, Words> = {
  // The picture
  "image-unreadable": words("This is not a picture that can be opened", "Take a JPEG, PNG, WebP, GIF or BMP. A photo in another format can be saved as JPEG first.", "another"),
  "image-too-large": words("This picture is too large", "At most 40 megapixels can be read. Make it smaller, or cut out the part with the text.", "another"),
  "schema-unsupported": words("This form can't be filled in", "What was asked for is not something that this model can be held to.", "wait"),
  "tools-unsupported": words("This model calls no tools", "The model was not made for what was asked of it.", "wait"),
  "no-text-found": words("No text found", "Nothing in this picture looks like text. A sharper or closer picture may help.", "another"),
  "input-invalid": words("The model can't read this", "What was sent is not what the model takes.", "another"),
  "context-length-exceeded": words("This text is too long", "It has more words than the model can hold at once. Make it shorter.", "another"),

  // Limits
  "daily-quota-exceeded": used("Daily quota"),
  "monthly-quota-exceeded": used("Monthly quota"),
  "user-quota-exceeded": words("User quota exceeded", "You have read as much as one person may for today.", "wait"),
  "key-quota-exceeded": used("Key quota"),
  "key-monthly-quota-exceeded": used("Key monthly quota"),
  "key-tokens-per-minute-exceeded": busy("Key tokens per minute exceeded"),
  "key-requests-per-minute-exceeded": busy("Key requests per minute exceeded"),
  "key-concurrent-leases-exceeded": busy("Key concurrent leases exceeded"),
  "spend-limit-exceeded": used("Spend limit"),
  "egress-quota-exceeded": words("Egress quota exceeded", "The model can't be downloaded any more today.", "wait"),
  "tokens-per-minute-exceeded": busy("Tokens per minute exceeded"),
  "requests-per-minute-exceeded": busy("Requests per minute exceeded"),
  "concurrent-leases-exceeded": busy("Concurrent leases exceeded"),
  "storage-quota-exceeded": words("Storage quota exceeded", OWNER, "wait"),
  "model-quota-exceeded": words("Model quota exceeded", OWNER, "wait"),
  "too-many-revisions": words("Too many revisions", OWNER, "wait"),

  // The way to the service
  "network-failed": words("No connection", "The service could not be reached. Check the connection and try again.", "retry"),
  "invalid-dpop-proof": broken("Invalid DPoP proof"),
  "dpop-nonce-required": broken("DPoP nonce required"),
  "isolation-not-bound": words("Isolation not bound", OWNER, "wait"),
  unavailable: words("Not available just now", "The service is busy or being worked on. Try again in a moment.", "retry"),
  "bad-response": broken("Unexpected answer"),
  "weights-corrupt": words("The download was damaged", "What arrived is not what was sent, so it was not used. Try again.", "retry"),

  // The device
  "storage-refused": words("Nothing can be kept here", "This browser keeps nothing for this page, so it can't work offline.", "retry"),
  "pool-full": words("No room for this model", `Other models are kept ready on this page. ${OWNER}`, "retry"),
  "runtime-crashed": words("The reading stopped", "The browser ended it, perhaps for want of memory. Try again, or take a smaller picture.", "retry"),
  "backend-unavailable": words("This browser can't read pictures", "It has neither WebGPU nor WebAssembly for it. A current browser helps.", "wait"),
  "variant-unsupported": words("This device can't read pictures", "No build of the model fits it. Another device or a current browser helps.", "wait"),

  // What the owner of the page must mend
  unauthorized: words("This widget's key is not valid", OWNER, "wait"),
  forbidden: words("This widget's key may not do this", OWNER, "wait"),
  "user-not-verified": words("This page did not say for sure who you are", OWNER, "wait"),
  "origin-not-allowed": words("This page is not allowed for the key", OWNER, "wait"),
  "tenant-disabled": words("Switched off", "Reading is switched off for this site.", "wait"),
  "model-not-available": words("The model is not available", OWNER, "wait"),
  "model-invalid": words("The model is incomplete", OWNER, "wait"),
  "model-unreadable": notRun,
  "model-too-complex": notRun,
  "model-graph-invalid": notRun,
  "model-external-path": notRun,
  "model-external-range": notRun,
  "model-dims-invalid": notRun,
  "model-size-mismatch": notRun,
  "model-control-flow": notRun,
  "invalid-request": words("The request was refused", OWNER, "wait"),

  // A lease that ended, an answer that should not come: the next try starts afresh
  "lease-expired": words("That took too long", "The time for this picture ran out. Try again.", "retry"),
  "lease-revoked": words("Stopped by the service", "The permission for this picture was withdrawn. Try again.", "retry"),
  "lease-settled": broken("Already ended"),
  "usage-exceeds-hold": broken("Unexpected answer"),
  "not-found": broken("Not found"),
  "method-not-allowed": broken("Unexpected answer"),
  conflict: broken("Changed in between"),
  "unsupported-media-type": broken("Unexpected answer"),
  "idempotency-key-reused": broken("Unexpected answer"),
  "digest-mismatch": broken("Unexpected answer"),
  "revision-incomplete": broken("The model is incomplete"),
  "revision-too-large": broken("Unexpected answer"),
  "base-not-granted": broken("The model is not granted"),
  "payload-too-large": broken("Unexpected answer"),
  "precondition-failed": broken("Unexpected answer"),
  "range-not-satisfiable": broken("Unexpected answer"),
  aborted: words("Stopped", "Nothing was read.", "retry"),
};

const STEPS = { files: "Opening the model", compile: "Starting the engine", session: "Preparing the model", warmup: "Preparing the model" } as const;

export function stageWords(progress: Progress | null): string {
  switch (progress?.stage) {
    case "downloading":
      return "Downloading the model";
    case "preparing":
      return STEPS[progress.step];
    case "reading":
      return "Reading the picture";
    case undefined:
      return "Looking at the picture";
  }
}

export const engineWords = (backend: "webgpu" | "wasm", threads: number) =>
  backend === "webgpu" ? "WebGPU" : `WASM, ${threads} ${threads === 1 ? "thread" : "threads"}`;

export const linesWords = (count: number) => (count === 1 ? "1 line" : `${count} lines`);

/** "6.2 of 15.6 MB": decimal megabytes, as browsers and shops count them. */
export function bytesWords(loaded: number, total: number): string {
  const unit = total >= 1e6 ? { name: "MB", size: 1e6, digits: 1 } : { name: "kB", size: 1e3, digits: 0 };
  const inUnit = (bytes: number) => (bytes / unit.size).toFixed(unit.digits);
  return `${inUnit(loaded)} of ${inUnit(total)} ${unit.name}`;
}

/** "today at 14:05", "tomorrow at 00:00", "on Tue, 1 Dec at 00:00": in the viewer's zone, which is named. */
export function whenWords(at: Date, now: Date, locale?: string, timeZone?: string): string {
  const day = (date: Date) => new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" }).format(date);
  const time = new Intl.DateTimeFormat(locale, { timeZone, hour: "2-digit", minute: "2-digit", timeZoneName: "short" }).format(at);
  if (day(at) === day(now)) return `today at ${time}`;
  if (day(at) === day(new Date(now.getTime() + 86_400_000))) return `tomorrow at ${time}`;
  return `on ${new Intl.DateTimeFormat(locale, { timeZone, weekday: "short", day: "numeric", month: "short" }).format(at)} at ${time}`;
}
