/** Two small tokenizers in the hub's format: byte-level BPE as GPT-2 has it, and SentencePiece with byte fallback. */

const printable = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;

/** GPT-2's letter of each byte. */
export const BYTE_LETTERS: readonly string[] = (() => {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
})();

const letters = (text: string) => [...new TextEncoder().encode(text)].map((byte) => BYTE_LETTERS[byte] ?? "");

const SPECIALS = ["<|end|>", "<|user|>", "<|assistant|>"] as const;

/**
 * Tokens: three specials, 256 bytes, then `words`, each made by merges from its left, among them parts of characters;
 * at last `markers`, which are special tokens too.
 */
export function byteLevelTokenizer(words: readonly string[] = [" the", " cat", "ing", "世", "👩", "\": \"", "{\"", "\"}"], markers: readonly string[] = []): { file: Record<string, unknown>; config: Record<string, unknown> } {
  const vocab = new Map<string, number>([...SPECIALS, ...BYTE_LETTERS].map((token, id) => [token, id]));
  const merges: [string, string][] = [];
  for (const word of words) {
    const parts = letters(word);
    let left = parts[0] ?? "";
    for (const right of parts.slice(1)) {
      if (!vocab.has(left + right)) {
        merges.push([left, right]);
        vocab.set(left + right, vocab.size);
      }
      left += right;
    }
  }
  for (const marker of markers) vocab.set(marker, vocab.size);
  return {
    file: {
      version: "1.0",
      added_tokens: [...SPECIALS, ...markers].map((content) => ({ content, id: vocab.get(content) ?? -1 })).map(({ content, id }) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })),
      normalizer: null,
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: null,
      decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: { type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, ignore_merges: false, vocab: Object.fromEntries(vocab), merges },
    },
    config: {
      tokenizer_class: "GPT2Tokenizer",
      eos_token: "<|end|>",
      chat_template: "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
    },
  };
}

export function sentencePieceTokenizer(): { file: Record<string, unknown>; config: Record<string, unknown> } {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  const pieces = ["▁", "t", "h", "e", "c", "a", "▁t", "▁th", "▁the", "世"];
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...pieces];
  return {
    file: {
      version: "1.0",
      added_tokens: ["<unk>", "<s>", "</s>"].map((content, id) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })),
      normalizer: { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }, { type: "Replace", pattern: { String: " " }, content: "▁" }] },
      pre_tokenizer: null,
      post_processor: null,
      decoder: { type: "Sequence", decoders: [{ type: "Replace", pattern: { String: "▁" }, content: " " }, { type: "ByteFallback" }, { type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }] },
      model: {
        type: "BPE", dropout: null, unk_token: "<unk>", continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: true, byte_fallback: true, ignore_merges: false,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges: [["▁", "t"], ["▁t", "h"], ["▁th", "e"]],
      },
    },
    config: { tokenizer_class: "LlamaTokenizer", bos_token: "<s>", eos_token: "</s>" },
  };
}
