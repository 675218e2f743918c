/** A decoder on WASM, driven through onnxruntime's module: the reference's tokens, one for one, whatever happened before. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SelfTest } from "../../../schema/contract/self-test.ts";
import { ORT_PATH } from "../../../client/runtime/ort-files.ts";
import { LACKING_PATH } from "../../support/ort-lacking.ts";
import { startDecoderWorker, type DecoderWorker } from "../../support/workers/ask-worker.ts";
import type { DecoderAnswer } from "../../support/workers/decoder-protocol.ts";
import { stories, type Stories } from "./stories-fixture.ts";

const COUNT = 64;
let model: Stories | null;
let worker: DecoderWorker;
let opened: DecoderAnswer | null = null;
const first = () => model?.cases[0] ?? { prompt_ids: [], output_ids: [] };
const second = () => model?.cases[1] ?? { prompt_ids: [], output_ids: [] };

beforeAll(async () => {
  model = await stories();
  worker = startDecoderWorker();
  if (model) opened = await worker.ask({ kind: "open", files: model.files, backend: "wasm", ortBase: new URL(ORT_PATH, location.origin).href, threads: 1, options: { memoryBytes: 1e9, maxContext: 300 } });
});
afterAll(() => worker.end());

const whenThere = (name: string, check: () => Promise<void>) =>
  test(name, async ({ skip }) => {
    if (!model) return skip("the models next to the checkout are not there");
    await check();
  });

whenThere("it runs on the module itself: this version has all that takes", async () => {
  expect(opened?.description).toMatch(/one thread$/);
});

whenThere("it answers the reference's tokens", async () => {
  for (const { prompt_ids: ids, output_ids: expected } of model?.cases ?? []) {
    const answer = await worker.ask({ kind: "generate", ids, count: COUNT });
    expect(answer.ids).toEqual(expected.slice(0, COUNT));
  }
});

whenThere("an aborted answer leaves it as good as new", async () => {
  await expect(worker.ask({ kind: "generate", ids: first().prompt_ids, count: COUNT, abortAfter: 9 })).rejects.toThrow("stopped by the test");
  const answer = await worker.ask({ kind: "generate", ids: second().prompt_ids, count: COUNT });
  expect(answer.ids).toEqual(second().output_ids.slice(0, COUNT));
});

whenThere("what two texts have in common is kept, and the rest computed anew", async () => {
  const { prompt_ids: prompt, output_ids: expected } = first();
  await worker.ask({ kind: "generate", ids: [...prompt, ...expected.slice(0, 20)], count: 5 });
  const keep = prompt.length + 10;
  const answer = await worker.ask({ kind: "generate", keep, ids: [...prompt, ...expected].slice(keep, keep + 3), count: 20 });
  expect(answer.ids).toEqual(expected.slice(13, 33));
});

whenThere("a saved text goes on where it was, after another was worked on", async () => {
  const { prompt_ids: prompt, output_ids: expected } = first();
  const { position } = await worker.ask({ kind: "generate", ids: prompt, count: 12 });
  await worker.ask({ kind: "save", name: "first" });
  await worker.ask({ kind: "generate", ids: second().prompt_ids, count: 30 });
  expect((await worker.ask({ kind: "restore", name: "first" })).position).toBe(position);
  const answer = await worker.ask({ kind: "generate", keep: position, ids: expected.slice(11, 12), count: 10 });
  expect(answer.ids).toEqual(expected.slice(12, 22));
});

whenThere("a long text in pieces gives what a short one did, and too long a one is refused whole", async () => {
  const { prompt_ids: prompt, output_ids: expected } = first();
  const long = [...prompt, ...expected].slice(0, 150);
  const answer = await worker.ask({ kind: "generate", ids: long, count: 10 });
  expect(answer.ids).toEqual([...prompt, ...expected].slice(150, 160));
  await expect(worker.ask({ kind: "generate", ids: Array<number>(301).fill(1), count: 1 })).rejects.toThrow("context-length-exceeded");
});

whenThere("candidates come likeliest first, with the weight of all", async () => {
  await worker.ask({ kind: "generate", ids: [1], count: 1 });
  const { candidates, logits } = await worker.ask({ kind: "candidates", ids: first().output_ids.slice(0, 1), count: 5 });
  expect(candidates?.ids[0]).toBe(first().output_ids[1]);
  expect(logits).toHaveLength(512);
  const sum = [...(logits ?? [])].reduce((total, logit) => total + Math.exp(logit - (candidates?.logSumExp ?? 0)), 0);
  expect(sum).toBeCloseTo(1, 4);
});

whenThere("a model that misses its self-test is not opened", async () => {
  const open = { kind: "open", files: model?.files ?? [], backend: "wasm", threads: 1, ortBase: new URL(ORT_PATH, location.origin).href } as const;
  const selfTest: SelfTest = { kind: "tokens", input_ids: [...first().prompt_ids], output_ids: first().output_ids.slice(0, 8) };
  const other: SelfTest = { ...selfTest, output_ids: [...first().output_ids.slice(0, 7), 5] };
  await expect(worker.ask({ ...open, options: { memoryBytes: 1e9, selfTest: other } })).rejects.toThrow(/backend-unavailable: .* at place 8 of 8/);
  expect((await worker.ask({ ...open, options: { memoryBytes: 1e9, selfTest } })).position).toBe(0);
});

test.for([
  { on: "WASM whose module has lost an export, by the public API", more: { backend: "wasm", ortBase: new URL(LACKING_PATH, location.origin).href }, count: 32, says: /the public API$/ },
  { on: "WebGPU, recorded", more: { backend: "webgpu" }, count: 14, says: /WebGPU, recorded$/ },
  { on: "WebGPU, run by run", more: { backend: "webgpu", isUnrecorded: true }, count: 8, says: /not recorded, for this engine has no way to\).*WebGPU$/ },
] as const)("on $on the same tokens come out, from any place", { timeout: 180_000 }, async ({ more, count, says }, { skip }) => {
  if (!model) return skip("the models next to the checkout are not there");
  const other = startDecoderWorker();
  const { prompt_ids: prompt, output_ids: expected } = second();
  const { description } = await other.ask({ kind: "open", files: model.files, threads: 1, ortBase: new URL(ORT_PATH, location.origin).href, options: { memoryBytes: 1e9, maxContext: 300 }, ...more });
  expect(description).toMatch(says);
  const { ids, position, gpu } = await other.ask({ kind: "generate", ids: prompt, count });
  expect(ids).toEqual(expected.slice(0, count));
  // Of WebGPU no more comes back than the candidates. What is played back binds nothing anew.
  if (more.backend === "webgpu") expect(gpu?.bytesRead).toBeLessThanOrEqual(1024);
  if ("isUnrecorded" in more) expect(gpu?.bindGroups).toBeGreaterThan(10);
  else expect(gpu?.bindGroups).toBe(0);
  await other.ask({ kind: "save", name: "there" });
  const keep = prompt.length + 4;
  expect((await other.ask({ kind: "generate", keep, ids: expected.slice(4, 6), count: 5 })).ids).toEqual(expected.slice(6, 11));
  expect((await other.ask({ kind: "restore", name: "there" })).position).toBe(position);
  expect((await other.ask({ kind: "generate", keep: position, ids: expected.slice(count - 1, count), count: 3 })).ids).toEqual(expected.slice(count, count + 3));
  const { candidates, logits } = await other.ask({ kind: "candidates", ids: [1], count: 3 });
  expect(candidates?.ids[0]).toBe(logits?.indexOf(Math.max(...logits)));
  other.end();
});
