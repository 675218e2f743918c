/** A model's files, by path. A missing or unreadable one is `model-invalid`, with its name. */
import type { OnnxModel } from "../../../schema/onnx/types.ts";
import { LeaseholdError } from "../../errors.ts";
import type { RuntimeFile } from "../protocol.ts";
import { Arrivals, contentOf, PartMemory, type FileContent } from "./file-content.ts";

export class ModelFiles {
  /** Of models that were inspected, what was read of them, for who rewrites them. */
  readonly structures = new Map<string, OnnxModel>();
  /** When all has arrived and been judged (`inspect-models.ts`): nothing of a model is used before; but see `verified`. */
  checked: Promise<void> = Promise.resolve();
  readonly #contents: ReadonlyMap<string, FileContent>;

  constructor(files: readonly RuntimeFile[], arrivals = new Arrivals()) {
    const memory = new PartMemory();
    this.#contents = new Map(files.map((file) => [file.path, contentOf(file, memory, arrivals)]));
  }

  /** When nothing is on its way any more. */
  async arrived(): Promise<void> {
    await Promise.all([...this.#contents.values()].map((content) => content.kind === "loaded" && content.arrived()));
  }

  /** When every part is what it should be: nothing of a model runs before. Rejects with `PartFault`. */
  async verified(): Promise<void> {
    await Promise.all([...this.#contents.values()].map((content) => content.kind === "loaded" && content.verified()));
  }

  require(paths: readonly string[]): void {
    for (const path of paths) this.content(path);
  }

  get paths(): string[] {
    return [...this.#contents.keys()];
  }

  has(path: string): boolean {
    return this.#contents.has(path);
  }

  /** The path of the one `.onnx` file: a variant of a model has one. */
  onlyModel(): string {
    const models = this.paths.filter((path) => path.endsWith(".onnx"));
    const [path] = models;
    if (path === undefined) throw new LeaseholdError("model-invalid", "The model can't be used: it has no .onnx file.");
    if (models.length > 1) throw new LeaseholdError("model-invalid", `The model can't be used: it has ${models.length} .onnx files (${models.join(", ")}), and a variant has one.`);
    return path;
  }

  /** The whole of it, verified. */
  async bytes(path: string): Promise<Uint8Array> {
    const content = this.content(path);
    if (content.kind === "loaded") await content.verified();
    try {
      return await content.read(0, content.size);
    } catch (error) {
      throw invalidFile(path, "can't be read from this browser's storage", error);
    }
  }

  async text(path: string): Promise<string> {
    return new TextDecoder().decode(await this.bytes(path));
  }

  content(path: string): FileContent {
    const content = this.#contents.get(path);
    if (!content) throw invalidFile(path, `is missing; the model has ${this.paths.join(", ") || "no files"}`);
    if (content.size === 0) throw invalidFile(path, "is empty");
    return content;
  }
}

/** `model-invalid` about one file: "det.onnx is missing". */
export const invalidFile = (path: string, fault: string, cause?: unknown): LeaseholdError =>
  new LeaseholdError("model-invalid", `The model can't be used: ${path} ${fault}.`, { cause });
