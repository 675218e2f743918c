/**
 * What of a hub's repository a model is made of, and what it is for. Pure.
 *
 * - A build is its ONNX file, the external data beside it, and the small files that every build shares.
 * - The task is the hub's pipeline tag; where it has none, what the architecture's name ends with.
 * - What could not be published is refused here, before any of it is fetched: as far as the hub's description tells.
 */
import { BUILDS, type Build, type ImportFault } from "../../schema/contract/imports.ts";
import { factsOf, filePath, MAX_FILE_BYTES, MAX_VARIANT_FILES, type Task, task, tasksHeldTo, type UsageMeasure } from "../../schema/contract/models.ts";
import type { Requirements } from "../../schema/contract/requirements.ts";
import type { SelfTest } from "../../schema/contract/self-test.ts";
import type { TaskFacts } from "../../schema/contract/task.ts";
import { MAX_ONNX_BYTES } from "../../schema/onnx/inspect.ts";
import type { HubFile, HubModel } from "./hub.ts";

/** Beside the weights: what tokenizers, pre- and post-processing and generation need. */
const SHARED = new Set([
  "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "preprocessor_config.json", "vocab.txt",
  "1_Pooling/config.json", "modules.json",
]);

/** Whether a file is of a build, or beside all of them. */
export const isOfModel = (path: string): boolean => SHARED.has(path) || buildOf(path) !== null;

export type Chosen = { readonly ok: true; readonly files: HubFile[]; readonly task: Task; readonly usage: UsageMeasure } | { readonly ok: false; readonly code: ImportFault; readonly detail: string };

interface Stated {
  readonly task?: Task | undefined;
  readonly usage?: UsageMeasure | undefined;
  readonly self_test?: Pick<SelfTest, "kind"> | undefined;
}

export function chooseFiles(model: HubModel, config: { readonly architectures?: readonly string[] | undefined } | null, builds: readonly Build[], stated: Stated): Chosen {
  const files = model.files.filter(({ path, size }) => SHARED.has(path) && size > 0);
  for (const build of builds) {
    const found = model.files.filter(({ path, size }) => buildOf(path) === build && size > 0);
    if (!found.some(({ path }) => path.endsWith(".onnx"))) {
      const has = [...new Set(model.files.map(({ path }) => buildOf(path)).filter((name) => name !== null))];
      return { ok: false, code: "source-not-found", detail: `The model has no build ${build} (${weightsOf(build)}). It has ${has.length > 0 ? has.join(", ") : "none in ONNX"}.` };
    }
    files.push(...found);
  }
  const odd = files.find(({ path }) => !filePath.safeParse(path).success);
  if (odd) return { ok: false, code: "source-unsafe", detail: "A file of the model has a path that is not a plain relative one." };
  const chosen = stated.task ?? taskOf(model.pipeline, config?.architectures ?? []);
  if (chosen === null) return { ok: false, code: "task-unknown", detail: `The hub says ${model.pipeline ?? "nothing"} of the model's task. State task and usage.` };
  const refusal = refusalOf(files, builds, chosen, stated.self_test);
  if (refusal !== null) return { ok: false, code: "model-refused", detail: refusal };
  return { ok: true, files, task: chosen, usage: stated.usage ?? usageOf(chosen) };
}

/** Why the revision would be none. */
function refusalOf(files: readonly HubFile[], builds: readonly Build[], name: Task, selfTest: Stated["self_test"]): string | null {
  const large = files.find(({ path, size }) => size > mostBytesOf(path));
  if (large) return `${large.path} has ${large.size} bytes, and such a file ${mostBytesOf(large.path)} at most.`;
  const crowded = builds.find((build) => files.filter(({ path }) => [build, null].includes(buildOf(path))).length > MAX_VARIANT_FILES);
  if (crowded) return `The build ${crowded} has more than ${MAX_VARIANT_FILES} files.`;
  const held = selfTest ? tasksHeldTo(selfTest.kind) : [name];
  return held.includes(name) ? null : `Its task is ${name}, and a self-test of ${selfTest?.kind} is for ${held.join(", ")}.`;
}

const mostBytesOf = (path: string): number => (path.endsWith(".onnx") ? MAX_ONNX_BYTES : MAX_FILE_BYTES);

const weightsOf = (build: Build) => `onnx/${BUILDS[build]}.onnx`;

/** The build that a file is of; null where it is of none or of all. */
export function buildOf(path: string): Build | null {
  const stem = /^onnx\/([\w.-]+?)\.onnx(?:(?:_data|\.data)(?:_\d+)?)?$/.exec(path)?.[1];
  return (Object.keys(BUILDS) as Build[]).find((build) => BUILDS[build] === stem) ?? null;
}

const taskWhere = (fits: (facts: TaskFacts) => boolean): Task | null => task.options.find((name) => fits(factsOf(name))) ?? null;

const taskOf = (pipeline: string | null, architectures: readonly string[]): Task | null =>
  taskWhere(({ pipelines }) => pipeline !== null && pipelines.includes(pipeline)) ?? taskWhere((facts) => facts.architectures.some((ending) => architectures.some((name) => name.endsWith(ending))));

function usageOf(name: Task): UsageMeasure {
  const { measure } = factsOf(name);
  return measure === "per-run" ? { measure, tokens: 1 } : { measure };
}

/** Half precision runs on WebGPU with shader-f16 alone; the others anywhere. */
export const requiresOf = (build: Build): Requirements => (build === "fp16" || build === "q4f16" ? { backend: "webgpu", features: ["shader-f16"] } : {});

/** What the architecture is; of what is no configuration, nothing. */
export function configOf(text: string): { architectures?: string[] } | null {
  try {
    const config: unknown = JSON.parse(text);
    const names = typeof config === "object" && config !== null && "architectures" in config ? config.architectures : undefined;
    return { architectures: Array.isArray(names) ? names.filter((name) => typeof name === "string") : [] };
  } catch {
    return null; // the file is the model's; what does not read it says so
  }
}
