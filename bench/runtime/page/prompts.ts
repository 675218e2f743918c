/** The words that are fed: the same for all engines, cut to a number of tokens. */
import type { PeerTokenizer } from "./peers.ts";

export interface Prompt {
  readonly ids: readonly number[];
  readonly text: string;
}

const WORDS = "the harbour lay still in early light while boats came home with their catch and gulls called over roofs of old town where lanterns burned until morning because somebody always waited".split(" ");

/** Prompts of other salts begin otherwise, so that what an engine keeps of one is no help for another. */
export function makePrompt(tokenizer: PeerTokenizer, tokens: number, salt: number): Prompt {
  const from = (salt * 5) % WORDS.length;
  const sentence = `${[...WORDS.slice(from), ...WORDS.slice(0, from)].join(" ")} . `;
  const ids = tokenizer.encode(sentence.repeat(Math.ceil(tokens / WORDS.length) + 1)).slice(0, tokens);
  return { ids, text: tokenizer.decode(ids) };
}

/** Another turn: the first `kept` tokens of `before`, and then something else, `total` in all. */
export function makeTurn(tokenizer: PeerTokenizer, before: Prompt, kept: number, total: number): Prompt {
  const ids = [...before.ids.slice(0, kept), ...tokenizer.encode(" Now tell me what the fishermen said about the storm, and who it was that had waited".repeat(4)).slice(0, total - kept)];
  return { ids, text: tokenizer.decode(ids) };
}

/** Texts of 8 to 128 tokens, in no order. */
export function makeTexts(tokenizer: PeerTokenizer, count: number): string[] {
  return Array.from({ length: count }, (_, at) => makePrompt(tokenizer, 6 + ((at * 53) % 121), at).text);
}
