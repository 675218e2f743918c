import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchesByLength } from "../../../../client/runtime/tasks/encoder/batches.ts";
import { entities } from "../../../../client/runtime/tasks/encoder/entities.ts";
import { pixelValues, planPicture } from "../../../../client/runtime/tasks/encoder/picture-plan.ts";
import { mostTokens } from "../../../../client/runtime/tasks/encoder/text-encoder.ts";
import { normalized, pool, poolingOf, softmax } from "../../../../client/runtime/tasks/encoder/pooling.ts";
import { Tokenizer } from "../../../../client/runtime/tokenizer/tokenizer.ts";
import { byteLevelTokenizer } from "../../../support/small-tokenizers.ts";

describe("batches", () => {
  it("hold every text once, few at a time, of about one length", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 512 }), { maxLength: 60 }), (lengths) => {
        const batches = batchesByLength(lengths);
        expect(batches.flat().sort((a, b) => a - b)).toEqual([...lengths.keys()]);
        for (const batch of batches) {
          const own = batch.map((index) => lengths[index] as number);
          expect(batch.length).toBeLessThanOrEqual(8);
          expect(Math.min(...own)).toBeGreaterThanOrEqual(Math.max(...own) * 0.875);
        }
      }),
    );
  });
});

describe("pooling", () => {
  const states = Float32Array.of(1, 2, 3, 6, 5, 1, 9, 9); // three tokens of two numbers, and padding
  it.each([["mean", [3, 3]], ["cls", [1, 2]], ["max", [5, 6]], ["last", [5, 1]]] as const)("%s leaves padding out", (how, expected) => {
    expect([...pool(states, 2, 3, how)]).toEqual(expected);
  });

  it("is what the model's file says, and the mean where it says nothing", () => {
    expect(poolingOf({ pooling_mode_cls_token: true, pooling_mode_mean_tokens: false })).toBe("cls");
    expect(poolingOf({})).toBe("mean");
    expect(poolingOf({ pooling_mode: "lasttoken" })).toBe("last");
    expect(poolingOf({ pooling_mode_weightedmean_tokens: true, pooling_mode_mean_tokens: false })).toBeNull();
    expect(poolingOf({ pooling_mode_cls_token: true, pooling_mode_mean_tokens: true })).toBeNull();
  });

  it("brings to length 1 what has a length", () => {
    expect([...normalized(Float32Array.of(3, 4))]).toEqual([expect.closeTo(0.6), expect.closeTo(0.8)]);
    expect([...normalized(Float32Array.of(0, 0))]).toEqual([0, 0]);
  });

  it("makes probabilities of any logits", () => {
    expect(softmax([1000, 1000])).toEqual([0.5, 0.5]);
  });
});

it("a text is as long as the model has positions for it", () => {
  expect(mostTokens({ max_position_embeddings: 512 }, Infinity)).toBe(512);
  expect(mostTokens({ max_position_embeddings: 512 }, 128)).toBe(128);
  expect(mostTokens({ model_type: "roberta", max_position_embeddings: 514, pad_token_id: 1 }, Infinity)).toBe(512);
});

describe("entities", () => {
  const tagged = (...words: [string, string][]) => words.map(([token, label]) => ({ token, label, score: 0.9 }));

  it("are put together of their tokens, and stand where they stand in the text", () => {
    const text = "Zoë Müller lives in New York.";
    const found = entities(text, tagged(["zoe", "B-PER"], ["mu", "I-PER"], ["##ller", "I-PER"], ["lives", "O"], ["in", "O"], ["new", "B-LOC"], ["york", "I-LOC"], [".", "O"]), "simple");
    expect(found).toMatchObject([
      { entity: "PER", text: "Zoë Müller", start: 0, end: 10 },
      { entity: "LOC", text: "New York", start: 20, end: 28 },
    ]);
  });

  it("are found where the tokens are bytes, also of letters that are two of them", () => {
    const { file, config } = byteLevelTokenizer();
    const tokenizer = new Tokenizer(file, config, null);
    const text = "then Zoë 世界 the cat";
    const { ids } = tokenizer.encode(text, { addSpecialTokens: false });
    const spelled = tokenizer.spell(ids);
    expect(spelled.join("")).toBe(text);
    const [from, to] = [spelled.indexOf(" Z") < 0 ? spelled.indexOf("Z") : spelled.indexOf(" Z"), spelled.indexOf("界")];
    const found = entities(text, spelled.map((token, at) => ({ token, label: at >= from && at <= to ? "I-PER" : "O", score: 0.9 })), "simple");
    expect(found).toMatchObject([{ entity: "PER", text: "Zoë 世界", start: 5, end: 11 }]);
  });

  it("begin anew at B-, and stay single where nothing is put together", () => {
    expect(entities("Rome Oslo", tagged(["Rome", "B-LOC"], ["Oslo", "B-LOC"]), "simple")).toHaveLength(2);
    expect(entities("New York", tagged(["New", "B-LOC"], ["York", "I-LOC"]), "none").map(({ entity }) => entity)).toEqual(["B-LOC", "I-LOC"]);
  });
});

describe("a picture", () => {
  it("is fitted by its shorter side and cut out at the middle", () => {
    const plan = planPicture({ do_resize: true, size: { shortest_edge: 224 }, do_center_crop: true, crop_size: { width: 224, height: 224 } }, { width: 448, height: 224 });
    expect(plan).toEqual({ width: 224, height: 224, place: { x: -112, y: 0, width: 448, height: 224 } });
  });

  it("is brought to a fixed size where no crop is stated", () => {
    expect(planPicture({ size: { width: 32, height: 16 } }, { width: 100, height: 100 })).toMatchObject({ width: 32, height: 16, place: { x: 0, y: 0 } });
  });

  it("is brought to a square where the size is one number and nothing is cut, as ViT's files have it", () => {
    expect(planPicture({ do_resize: true, size: 224 }, { width: 640, height: 480 })).toMatchObject({ width: 224, height: 224, place: { width: 224, height: 224 } });
    expect(planPicture({ do_resize: true, size: 224, do_center_crop: true, crop_size: 224 }, { width: 640, height: 480 })).toMatchObject({ width: 224, height: 224, place: { width: 299, height: 224 } });
  });

  it("is scaled, and its channels set apart", () => {
    const values = pixelValues({ image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] }, Uint8ClampedArray.of(255, 0, 127.5, 255), { width: 1, height: 1 });
    expect([...values]).toEqual([1, -1, expect.closeTo(0, 1)]);
  });
});
