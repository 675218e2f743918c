/** A tenant's page with the SDK, as a person opens it: to the first word of a model's answer. */
import { Leasehold } from "../../../client/sdk/leasehold.ts";
import type { Progress } from "../../../client/sdk/progress.ts";
import { MESSAGES, type OurTask, taskOf, TOKENS } from "./task.ts";

const task = taskOf<OurTask>();
const { publishableKey, baseUrl } = task;
const leasehold = new Leasehold({ publishableKey, baseUrl, backend: "wasm" });
const stages: Record<string, number> = { script: performance.now() };
const onProgress = (progress: Progress): void => {
  stages[progress.stage === "preparing" ? progress.step : progress.stage] ??= performance.now();
};

globalThis.visited = task.kind === "text" ? write() : read();

async function write() {
  let firstMs = 0;
  let text = "";
  const stream = await leasehold.chat.completions.create({ model: "text", messages: MESSAGES, max_tokens: TOKENS, temperature: 0, stream: true }, { onProgress });
  for await (const chunk of stream) {
    const piece = chunk.choices[0]?.delta.content ?? "";
    if (text === "" && piece !== "") firstMs = performance.now();
    text += piece;
  }
  return { firstMs, text, stages };
}

async function read() {
  const image = await (await fetch(`data:image/png;base64,${task.picture ?? ""}`)).blob();
  const { blocks } = await leasehold.ocr.read({ model: "ocr", image, onProgress });
  return { firstMs: performance.now(), text: blocks.map(({ text }) => text).join("\n"), stages };
}
