/**
 * The bytes that each token stands for, from `tokenizer.json`. Pure.
 *
 * - Three families are known, told by the file's `decoder`: byte-level BPE (GPT-2's alphabet of 256 letters),
 *   SentencePiece (`▁` is a space, `<0xE2>` one byte), and plain pieces. Another one is `unknown-decoder`.
 * - A special token stands for no text: `null`. An id without a token too.
 * - Some families put a space before the first word; `stripsLeadingSpace` says that a text's first one is not the text's.
 */

export interface TokenBytes {
  readonly bytes: readonly (Uint8Array | null)[];
  readonly stripsLeadingSpace: boolean;
}

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

interface DecoderStep {
  readonly type: string;
  readonly decoders?: readonly DecoderStep[];
  readonly pattern?: { readonly String?: string };
  readonly content?: string;
  readonly start?: number;
  readonly prepend_scheme?: string;
  readonly add_prefix_space?: boolean;
}

export interface TokenizerFile {
  readonly decoder: DecoderStep | null;
  readonly added_tokens?: readonly AddedToken[];
}

type Spelling = (token: string) => Uint8Array;

const encoder = new TextEncoder();

export function tokenBytes(file: TokenizerFile, vocabulary: ReadonlyMap<string, number>): TokenBytes | { readonly fault: string } {
  const steps = flat(file.decoder);
  const family = familyOf(steps);
  if (family === null) return { fault: `has the decoder ${steps.map(({ type }) => type).join(", ")}, which is not known here` };
  const added = new Map((file.added_tokens ?? []).map((token) => [token.id, token]));
  const size = Math.max(-1, ...added.keys(), maxOf(vocabulary.values())) + 1;
  const bytes: (Uint8Array | null)[] = Array.from({ length: size }, () => null);
  for (const [token, id] of vocabulary) bytes[id] = family.spell(token);
  for (const { id, content, special } of added.values()) bytes[id] = special ? null : encoder.encode(content);
  return { bytes, stripsLeadingSpace: family.stripsLeadingSpace };
}

export const isByteLevel = ({ decoder }: TokenizerFile): boolean => flat(decoder).some(({ type }) => type === "ByteLevel");

function familyOf(steps: readonly DecoderStep[]): { spell: Spelling; stripsLeadingSpace: boolean } | null {
  const has = (type: string) => steps.some((step) => step.type === type);
  if (steps.length === 0) return { spell: (token) => encoder.encode(token), stripsLeadingSpace: false };
  if (has("ByteLevel")) return { spell: byteLevel, stripsLeadingSpace: false };
  const known = steps.every(({ type }) => ["Replace", "ByteFallback", "Fuse", "Strip", "Metaspace"].includes(type));
  if (!known) return null;
  const replacements = steps.flatMap(({ type, pattern, content }) =>
    type === "Metaspace" ? [["▁", " "] as const] : type === "Replace" && pattern?.String !== undefined ? [[pattern.String, content ?? ""] as const] : [],
  );
  const stripsLeadingSpace = steps.some(
    ({ type, content, start, prepend_scheme: scheme, add_prefix_space: adds }) => (type === "Strip" && content === " " && start === 1) || (type === "Metaspace" && scheme !== "never" && adds !== false),
  );
  return { spell: (token) => sentencePiece(token, replacements, has("ByteFallback")), stripsLeadingSpace };
}

const flat = (step: DecoderStep | null): DecoderStep[] => (step === null ? [] : step.type === "Sequence" ? (step.decoders ?? []).flatMap(flat) : [step]);

function sentencePiece(token: string, replacements: readonly (readonly [string, string])[], hasBytes: boolean): Uint8Array {
  const byte = hasBytes ? /^<0x([0-9A-F]{2})>$/i.exec(token)?.[1] : undefined;
  if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
  return encoder.encode(replacements.reduce((text, [from, to]) => text.replaceAll(from, to), token));
}

/** A letter outside the alphabet (an added token among the rest) is itself. */
function byteLevel(token: string): Uint8Array {
  const bytes: number[] = [];
  for (const letter of token) {
    const byte = BYTE_OF_LETTER.get(letter);
    if (byte === undefined) bytes.push(...encoder.encode(letter));
    else bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** GPT-2's alphabet: printable bytes are themselves, the others take the letters from U+0100 on, in order. */
const BYTE_OF_LETTER: ReadonlyMap<string, number> = (() => {
  const isPrintable = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const letters = new Map<string, number>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) letters.set(String.fromCharCode(isPrintable(byte) ? byte : next++), byte);
  return letters;
})();

function maxOf(values: Iterable<number>): number {
  let max = -1;
  for (const value of values) if (value > max) max = value;
  return max;
}
