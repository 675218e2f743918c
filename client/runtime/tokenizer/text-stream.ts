/**
 * Tokens in, text out, as it comes.
 *
 * - The pieces joined, `end` included, are the text of all the tokens at once: a character whose bytes are not all
 *   there waits for the rest; at the end it becomes U+FFFD.
 * - A byte-order mark is text like any other.
 */
import type { TokenBytes } from "./token-bytes.ts";

export class TextStream {
  readonly #tokens: TokenBytes;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #mayStrip: boolean;
  /** Of the bytes so far, none waits for more. */
  #isClosed = true;

  /** `isStart`: nothing stands before this text, so a space that the tokenizer puts before the first word is left out. */
  constructor(tokens: TokenBytes, isStart: boolean) {
    this.#tokens = tokens;
    this.#mayStrip = isStart && tokens.stripsLeadingSpace;
  }

  push(token: number): string {
    const bytes = this.#tokens.bytes[token];
    if (bytes == null || bytes.length === 0) return "";
    const last = bytes[bytes.length - 1] ?? 0;
    const isPlain = this.#isClosed && bytes.every(isAscii); // most are, and the decoder takes longer than all else that is done to a token
    this.#isClosed = isAscii(last);
    return this.#take(isPlain ? String.fromCharCode(...bytes) : this.#decoder.decode(bytes, { stream: true }));
  }

  end(): string {
    return this.#take(this.#decoder.decode());
  }

  #take(text: string): string {
    if (!this.#mayStrip || text === "") return text;
    this.#mayStrip = false;
    return text.startsWith(" ") ? text.slice(1) : text;
  }
}

const isAscii = (byte: number): boolean => byte < 0x80;
