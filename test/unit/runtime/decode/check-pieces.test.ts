/** Decoders whose large runs come out wrong, as some devices' do: what is wrong is found, and not used. */
import { describe, expect, test } from "vitest";
import { difference, fitPieces, type DecoderInPieces } from "../../../../client/runtime/decode/check-pieces.ts";
import type { NextToken } from "../../../../client/runtime/decode/decoder.ts";
import { feedInPieces } from "../../../../client/runtime/decode/feeding.ts";
import type { Step } from "../../../../client/runtime/tasks/task.ts";
import { BigramDecoder } from "../../../support/bigram-decoder.ts";

/** Runs of more than `right` tokens give other logits. */
class OddDecoder extends BigramDecoder implements DecoderInPieces {
  piece = 64;
  override description = "odd";
  readonly #right: number;
  #longest = 0;

  constructor(right: number, contextLength = 4096) {
    super({ vocabulary: 40, contextLength });
    this.#right = right;
  }

  override async feed(ids: Int32Array, step: Step): Promise<NextToken> {
    let next: NextToken | null = null;
    await feedInPieces(this, ids, this.piece, step, async (piece) => {
      this.#longest = Math.max(this.#longest, piece.length);
      next = await super.feed(piece, step);
    });
    const { greedy, top, logits } = next as unknown as NextToken;
    return { greedy, top, logits: async () => (await logits()).map((logit, id) => logit + (this.#longest > this.#right && id % 2 === 0 ? 0.3 : 0)) };
  }

  override async truncate(length: number): Promise<void> {
    if (length === 0) this.#longest = 0;
    await super.truncate(length);
  }
}

const step = async () => undefined;
const SMALLER = (size: string) => `odd, prompts ${size} (larger ones come out wrong here)`;

describe("pieces of a prompt", () => {
  test.each([
    ["of full size where all is right", 64, 64, "odd"],
    ["smaller where large ones are wrong", 31, 16, SMALLER("in pieces of 16")],
    ["single where those are wrong, too", 3, 1, SMALLER("token by token")],
  ])("are %s", async (_, right, piece, description) => {
    const decoder = new OddDecoder(right);
    await fitPieces(decoder, "float32", false, step);
    expect([decoder.piece, decoder.description, decoder.position]).toEqual([piece, description, 0]);
  });

  test("are tried on no more tokens than the decoder holds", async () => {
    const decoder = new OddDecoder(31, 20);
    await fitPieces(decoder, "float32", false, step);
    expect(decoder.piece).toBe(64);
  });

  test("are small on an emulated adapter, without a trial", async () => {
    const decoder = new OddDecoder(64);
    await fitPieces(decoder, "float16", true, step);
    expect([decoder.piece, decoder.computed]).toEqual([16, 0]);
  });
});

test("logits are alike in parts of their size, and unlike where one is no number", () => {
  const right = Float32Array.of(3, -4, 0);
  expect(difference(Float32Array.of(3, -4, 0.5), right)).toBeCloseTo(0.1, 6);
  expect(difference(right, right)).toBe(0);
  expect(difference(Float32Array.of(3, NaN, 0), right)).toBeNaN();
});
