import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TextStream } from "../../../../client/runtime/tokenizer/text-stream.ts";
import { Tokenizer } from "../../../../client/runtime/tokenizer/tokenizer.ts";
import { byteLevelTokenizer, sentencePieceTokenizer } from "../../../support/small-tokenizers.ts";

const make = ({ file, config }: { file: Record<string, unknown>; config: Record<string, unknown> }) => new Tokenizer(file, config, null);
const tokenizers = [
  { name: "byte-level", tokenizer: make(byteLevelTokenizer()) },
  { name: "SentencePiece with byte fallback", tokenizer: make(sentencePieceTokenizer()) },
];

const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.array(fc.constantFrom("👩‍👩‍👧", "🇩🇪", "世界", "e\u0301", "  ", " the", "\n", "ﷺ", "\u200d", "\ufeff", "a"), { maxLength: 20 }).map((parts) => parts.join("")),
).filter((s) => s.isWellFormed() && !s.includes("▁")); // to SentencePiece that is a space

function pieces(tokenizer: Tokenizer, ids: readonly number[]): string[] {
  const stream = new TextStream(tokenizer.bytes, true);
  return [...ids.map((id) => stream.push(id)), stream.end()];
}

describe.each(tokenizers)("streaming with a $name tokenizer", ({ tokenizer }) => {
  it("gives pieces that joined are the decoded whole, for any text", () => {
    fc.assert(
      fc.property(text, (whole) => {
        const ids = tokenizer.encode(whole, { addSpecialTokens: false }).ids;
        const streamed = pieces(tokenizer, ids).join("");
        expect(streamed).toBe(whole);
        if (!whole.includes("\ufeff")) expect(streamed).toBe(tokenizer.decode(ids)); // the library drops byte-order marks
      }),
      { numRuns: 400 },
    );
  });

  it("never gives half a character", () => {
    fc.assert(
      fc.property(text, (whole) => {
        for (const piece of pieces(tokenizer, tokenizer.encode(whole, { addSpecialTokens: false }).ids)) {
          expect(piece.isWellFormed()).toBe(true);
          if (!whole.includes("\ufffd")) expect(piece).not.toContain("\ufffd");
        }
      }),
      { numRuns: 200 },
    );
  });

  it("survives any tokens in any order", () => {
    const size = tokenizer.bytes.bytes.length;
    fc.assert(
      fc.property(fc.array(fc.nat(size + 3), { maxLength: 30 }), (ids) => {
        const whole = new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(ids.flatMap((id) => [...(tokenizer.bytes.bytes[id] ?? [])])));
        const stripped = tokenizer.bytes.stripsLeadingSpace && whole.startsWith(" ") ? whole.slice(1) : whole;
        expect(pieces(tokenizer, ids).join("")).toBe(stripped);
      }),
    );
  });
});

describe("the space before the first word", () => {
  const tokenizer = make(sentencePieceTokenizer());
  const ids = [tokenizer.idOf("▁the") ?? -1, tokenizer.idOf("▁the") ?? -1];

  it("is left out where a text starts", () => {
    expect(pieces(tokenizer, ids)).toEqual(["the", " the", ""]);
  });

  it("stays where a text goes on", () => {
    const stream = new TextStream(tokenizer.bytes, false);
    expect(ids.map((id) => stream.push(id))).toEqual([" the", " the"]);
  });
});

describe("a decoder that is not known", () => {
  it("is the model's fault", () => {
    const { file, config } = byteLevelTokenizer();
    const tokenizer = make({ file: { ...file, decoder: { type: "WordPiece", prefix: "##", cleanup: false } }, config });
    expect(() => tokenizer.bytes).toThrow(expect.objectContaining({ code: "model-invalid" }));
  });
});
