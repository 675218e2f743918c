/**
 * What the chat says of a failure: the words of the widget, where they are not about pictures. Pure.
 */
import type { ErrorCode } from "../../errors.ts";
import { WORDS, type Words } from "../wording.ts";

const again = (title: string, text: string): Words => ({ title, text, remedy: "retry" });
const over = (title: string): Words => ({ title, text: "No more can be asked for now.", remedy: "wait" });

const OF_CHAT: Partial<Record<ErrorCode, Words>> = {
  "daily-quota-exceeded": over("Daily quota exceeded"),
  "monthly-quota-exceeded": over("Monthly quota exceeded"),
  "key-quota-exceeded": over("Key quota exceeded"),
  "key-monthly-quota-exceeded": over("Key monthly quota exceeded"),
  "spend-limit-exceeded": over("Spend limit exceeded"),
  "user-quota-exceeded": { title: "User quota exceeded", text: "You have asked as much as one person may for today.", remedy: "wait" },
  "context-length-exceeded": { title: "This chat is too long", text: "It has more words than the model can hold at once. Start a new one.", remedy: "another" },
  "runtime-crashed": again("The answer stopped", "The browser ended it, perhaps for want of memory. Try again."),
  "backend-unavailable": { title: "This browser can't run the model", text: "It has neither WebGPU nor WebAssembly for it. A current browser helps.", remedy: "wait" },
  "variant-unsupported": { title: "This device can't run the model", text: "No build of the model fits it. Another device or a current browser helps.", remedy: "wait" },
  "tenant-disabled": { title: "Switched off", text: "The chat is switched off for this site.", remedy: "wait" },
  "lease-expired": again("That took too long", "The time for this answer ran out. Try again."),
  "lease-revoked": again("Stopped by the service", "The permission for this answer was withdrawn. Try again."),
};

export const chatWords = (code: ErrorCode): Words => OF_CHAT[code] ?? WORDS[code];
