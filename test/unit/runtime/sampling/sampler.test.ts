import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileKernels, startKernels } from "../../../../client/runtime/kernels/kernels.ts";
import { lookingBytes, ScoreRoom, Scores } from "../../../../client/runtime/kernels/scores.ts";
import { seededRandom } from "../../../../client/runtime/sampling/random.ts";
import { GREEDY, logprobsOf, Sampler, type SamplingSettings } from "../../../../client/runtime/sampling/sampler.ts";
import { shortlist } from "../../../../client/runtime/sampling/shortlist.ts";

const warm: SamplingSettings = { ...GREEDY, temperature: 1 };
const logits = (...values: number[]) => Float32Array.from(values);
const draw = (settings: SamplingSettings, scores: Float32Array, seed: number, count = 200) => {
  const sampler = new Sampler(settings, seededRandom(seed), [], new ScoreRoom());
  return Array.from({ length: count }, () => sampler.next(scores));
};
const scoresOf = fc.array(fc.float({ min: -30, max: 30, noNaN: true }), { minLength: 1, maxLength: 60 }).map((values) => Float32Array.from(values));

const loaded = (values: Float32Array): Scores => new ScoreRoom().load(values);

/** The same rules, written down plainly. */
function plainShortlist(scores: Float32Array, { temperature, topK, topP, minP }: { temperature: number; topK: number; topP: number; minP: number }): number[] {
  const max = Math.max(...scores);
  let all = [...scores].map((score, token) => ({ token, weight: Math.exp((score - max) / temperature) })).filter(({ weight }) => weight >= 0).sort((a, b) => (scores[b.token] as number) - (scores[a.token] as number) || a.token - b.token);
  if (topK > 0) all = all.slice(0, topK);
  const total = all.reduce((sum, { weight }) => sum + weight, 0);
  const kept: number[] = [];
  let mass = 0;
  for (const { token, weight } of all) {
    if (kept.length > 0 && ((topP < 1 && mass >= topP * total) || weight < minP)) break;
    mass += weight;
    kept.push(token);
  }
  return kept;
}

describe("the shortlist", () => {
  it("is what the rules say, whatever the limits", () => {
    fc.assert(
      fc.property(scoresOf, fc.constantFrom(0.3, 1, 2.5), fc.constantFrom(0, 1, 5, 40), fc.constantFrom(0.1, 0.6, 0.95, 1), fc.constantFrom(0, 0.05, 0.5), (scores, temperature, topK, topP, minP) => {
        const limits = { temperature, topK, topP, minP };
        const tokens = shortlist(loaded(scores), limits).map(({ token }) => token);
        const expected = plainShortlist(scores, limits);
        // Sums taken in another order may differ in the last bit, and so the last token.
        expect(Math.abs(tokens.length - expected.length)).toBeLessThanOrEqual(topP < 1 ? 1 : 0);
        if (topK > 0 || topP < 1 || minP > 0) expect(tokens.slice(0, expected.length)).toEqual(expected.slice(0, tokens.length));
        else expect([...tokens].sort((a, b) => a - b)).toEqual([...expected].sort((a, b) => a - b));
      }),
      { numRuns: 500 },
    );
  });
});

describe("sampling", () => {
  it("gives the same tokens for the same seed, and others for another", () => {
    const scores = Float32Array.from({ length: 50 }, (_, i) => Math.sin(i));
    expect(draw(warm, scores, 7)).toEqual(draw(warm, scores, 7));
    expect(draw(warm, scores, 7)).not.toEqual(draw(warm, scores, 8));
  });

  it("takes tokens as often as their probability says", () => {
    const counts = [0, 0, 0];
    for (const token of draw(warm, logits(Math.log(0.6), Math.log(0.3), Math.log(0.1)), 1, 20_000)) counts[token] = (counts[token] ?? 0) + 1;
    expect(counts.map((count) => count / 20_000)).toEqual([expect.closeTo(0.6, 1), expect.closeTo(0.3, 1), expect.closeTo(0.1, 1)]);
  });

  it("takes the best at temperature 0, and of equals the first", () => {
    expect(draw(GREEDY, logits(1, 5, 5, 2), 1, 1)).toEqual([1]);
  });

  it("keeps to top-k, top-p and min-p", () => {
    const scores = logits(Math.log(0.5), Math.log(0.3), Math.log(0.15), Math.log(0.05));
    expect(new Set(draw({ ...warm, topK: 2 }, scores, 3))).toEqual(new Set([0, 1]));
    expect(new Set(draw({ ...warm, topP: 0.7 }, scores, 3))).toEqual(new Set([0, 1]));
    expect(new Set(draw({ ...warm, minP: 0.25 }, scores, 3))).toEqual(new Set([0, 1, 2]));
  });

  it("never takes what the mask forbids", () => {
    fc.assert(
      fc.property(scoresOf, fc.nat(), fc.boolean(), (scores, pick, isGreedy) => {
        const allowed = pick % scores.length;
        const mask = new Uint32Array(Math.ceil(scores.length / 32));
        mask[allowed >>> 5] = 1 << (allowed & 31);
        expect(new Sampler(isGreedy ? GREEDY : { ...warm, topP: 0.5 }, seededRandom(1), [], new ScoreRoom()).next(scores, mask)).toBe(allowed);
      }),
    );
  });

  it("applies the repetition penalty to prompt and answer, the others to the answer", () => {
    const repeat = new Sampler({ ...GREEDY, repetitionPenalty: 2 }, seededRandom(1), [0], new ScoreRoom());
    expect(repeat.next(logits(3, 2, -1))).toBe(1);
    repeat.accept(1);
    expect(repeat.next(logits(3, 2, -1))).toBe(0);
    const present = new Sampler({ ...GREEDY, presencePenalty: 1.5 }, seededRandom(1), [0], new ScoreRoom());
    expect(present.next(logits(3, 2))).toBe(0);
    present.accept(0);
    expect(present.next(logits(3, 2))).toBe(1);
    const frequent = new Sampler({ ...GREEDY, frequencyPenalty: 0.6 }, seededRandom(1), [], new ScoreRoom());
    frequent.accept(0);
    expect(frequent.next(logits(3, 2))).toBe(0);
    frequent.accept(0);
    expect(frequent.next(logits(3, 2))).toBe(1);
  });

  const settingsOf = fc.record({
    temperature: fc.constantFrom(0, 0.3, 0.8, 1.5), topK: fc.constantFrom(0, 3, 40), topP: fc.constantFrom(0.5, 0.9, 1), minP: fc.constantFrom(0, 0.1),
    repetitionPenalty: fc.constantFrom(1, 1.3, 0.8), frequencyPenalty: fc.constantFrom(0, 0.7), presencePenalty: fc.constantFrom(0, -0.4),
    logitBias: fc.constantFrom(new Map<number, number>(), new Map([[2, 3], [5, -100], [900, 1]])),
  });

  it("takes the tokens of its seed where the logits lie as from a copy, and leaves them as they were", async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const walks = await startKernels(memory, await compileKernels(true));
    fc.assert(
      fc.property(settingsOf, fc.array(fc.float({ min: -30, max: 30, noNaN: true }), { minLength: 1, maxLength: 200 }), fc.nat(), (settings, values, seed) => {
        const [length, prompt] = [values.length, [0, 3, 3, 70, 500]];
        expect(4 * length + 32 + lookingBytes(length)).toBeLessThan(65536);
        const scores = new Scores({ memory, walks, at: 0, length, scratch: 4 * length + 32 });
        scores.numbers.set(values);
        scores.changed();
        const before = [...scores.numbers];
        const [near, far] = [new Sampler(settings, seededRandom(seed), prompt, new ScoreRoom()), new Sampler(settings, seededRandom(seed), prompt, new ScoreRoom())];
        for (let step = 0; step < 4; step++) {
          const token = near.nextAmong(scores);
          expect(token).toBe(far.next(Float32Array.from(before)));
          expect([...scores.numbers]).toEqual(before);
          near.accept(token);
          far.accept(token);
        }
      }),
    );
  });

  it("chooses by its own settings also where somebody has looked at the logits before", () => {
    const scores = loaded(logits(3, 2, 1));
    expect(scores.likeliest()).toBe(0);
    expect(new Sampler({ ...GREEDY, logitBias: new Map([[2, 5]]) }, seededRandom(1), [], new ScoreRoom()).nextAmong(scores)).toBe(2);
    expect(scores.likeliest()).toBe(0);
  });

  it("adds the bias, and leaves the model's logits as they are", () => {
    const scores = logits(3, 2);
    expect(new Sampler({ ...GREEDY, logitBias: new Map([[1, 5], [99, 1]]) }, seededRandom(1), [], new ScoreRoom()).next(scores)).toBe(1);
    expect([...scores]).toEqual([3, 2]);
  });

  it("refuses logits that are no numbers", () => {
    for (const broken of [logits(1, NaN, 2), logits(-Infinity)]) expect(() => draw(warm, broken, 1)).toThrow("no numbers");
  });
});

describe("logprobs", () => {
  it("are the model's own, the likeliest first", () => {
    const { own, top } = logprobsOf(loaded(logits(Math.log(0.2), Math.log(0.7), Math.log(0.1))), 2, 2);
    expect(own).toEqual({ token: 2, logprob: expect.closeTo(Math.log(0.1), 5) });
    expect(top).toEqual([{ token: 1, logprob: expect.closeTo(Math.log(0.7), 5) }, { token: 0, logprob: expect.closeTo(Math.log(0.2), 5) }]);
  });
});
