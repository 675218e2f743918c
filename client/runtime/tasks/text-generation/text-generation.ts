/**
 * Text generation: a decoder, a tokenizer, and the files that say how to use them.
 *
 * - Where the manifest brings a self-test, the decoder must go on with its tokens, one for one.
 */
import type { SelfTest } from "../../../../schema/contract/self-test.ts";
import { LeaseholdError } from "../../../errors.ts";
import type { Decoder } from "../../decode/decoder.ts";
import { openDecoder } from "../../decode/open-decoder.ts";
import { Generator } from "../../generate/generator.ts";
import { loadTokenizer, readJson } from "../../tokenizer/tokenizer.ts";
import type { Step, TaskAdapter } from "../task.ts";
import type { GenerateEvent, GenerateInput, GenerateNote, GenerateOutput } from "./request.ts";

export const textGeneration: TaskAdapter<GenerateInput, GenerateOutput, GenerateEvent, GenerateNote> = {
  files: ["config.json", "tokenizer.json"],
  engine: "heap",
  async prepare(files, engine, step, { memoryBytes, selfTest }) {
    const tokenizer = await loadTokenizer(files);
    const modelConfig = await readJson(files, "config.json");
    const generationConfig = files.has("generation_config.json") ? await readJson(files, "generation_config.json") : {};
    const decoder = await openDecoder(files, engine, { memoryBytes }, step);
    if (selfTest) await check(decoder, selfTest, step);
    const generator = new Generator({ decoder, tokenizer, generationConfig, modelConfig });
    return { run: (input, call) => generator.run(input, call.step, call) };
  },
};

async function check(decoder: Decoder, test: SelfTest, step: Step): Promise<void> {
  if (test.kind !== "tokens") throw new LeaseholdError("model-invalid", `The model's self-test is of the kind "${test.kind}", and a text model's is of "tokens".`);
  let next = await decoder.feed(Int32Array.from(test.input_ids), step);
  for (const expected of test.output_ids) {
    const token = await next.greedy();
    if (token !== expected) throw new LeaseholdError("backend-unavailable", "The model missed its self-test here: it goes on with other tokens than it should.");
    next = await decoder.feed(Int32Array.of(token), step);
  }
  await decoder.truncate(0);
}
