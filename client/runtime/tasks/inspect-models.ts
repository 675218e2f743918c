/**
 * The last look at a model's files before an engine gets them: what the control plane judged when it was published is
 * judged again here, on the bytes that are about to run. The structure is read, once for whoever rewrites it too; no weight is.
 *
 * - A refusal has the control plane's code for it, and the file's name.
 */
import { inspectOnnx, INSPECT_LIMITS } from "../../../schema/onnx/inspect.ts";
import { LeaseholdError } from "../../errors.ts";
import { invalidFile, type ModelFiles } from "./model-files.ts";

export async function inspectModels(files: ModelFiles, allowControlFlow: boolean): Promise<void> {
  for (const path of files.paths.filter((one) => one.endsWith(".onnx"))) {
    const inspected = await inspectOnnx(files.content(path), besides(path, files), { ...INSPECT_LIMITS, allowControlFlow }).catch((error: unknown) => {
      throw invalidFile(path, "can't be read from this browser's storage", error);
    });
    if (!inspected.ok) throw new LeaseholdError(inspected.refusal.code, `The model is not run: ${path} is refused. ${inspected.refusal.detail}`);
    files.structures.set(path, inspected.model);
  }
}

/** What a model may name as its external data, by the path from its own folder. */
function besides(model: string, files: ModelFiles): Map<string, number> {
  const folder = model.slice(0, model.lastIndexOf("/") + 1);
  return new Map(files.paths.filter((path) => path !== model && path.startsWith(folder)).map((path) => [path.slice(folder.length), files.content(path).size]));
}
