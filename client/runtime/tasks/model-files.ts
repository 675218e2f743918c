/** A model's files, by path. A missing or unreadable one is `model-invalid`, with its name. */
import type { OnnxModel } from "../../../schema/onnx/types.ts";
import { LeaseholdError } from "../../errors.ts";
import type { RuntimeFile } from "../protocol.ts";

export class ModelFiles {
  /** Of models that were inspected, what was read of them, for who rewrites them. */
  readonly structures = new Map<string, OnnxModel>();
  readonly #blobs: ReadonlyMap<string, Blob>;

  constructor(files: readonly RuntimeFile[]) {
    this.#blobs = new Map(files.map(({ path, blob }) => [path, blob]));
  }

  require(paths: readonly string[]): void {
    for (const path of paths) this.blob(path);
  }

  get paths(): string[] {
    return [...this.#blobs.keys()];
  }

  has(path: string): boolean {
    return this.#blobs.has(path);
  }

  /** The path of the one `.onnx` file: a variant of a model has one. */
  onlyModel(): string {
    const models = this.paths.filter((path) => path.endsWith(".onnx"));
    const [path] = models;
    if (path === undefined) throw new LeaseholdError("model-invalid", "The model can't be used: it has no .onnx file.");
    if (models.length > 1) throw new LeaseholdError("model-invalid", `The model can't be used: it has ${models.length} .onnx files (${models.join(", ")}), and a variant has one.`);
    return path;
  }

  async bytes(path: string): Promise<Uint8Array> {
    return new Uint8Array(await this.#read(path, (blob) => blob.arrayBuffer()));
  }

  text(path: string): Promise<string> {
    return this.#read(path, (blob) => blob.text());
  }

  blob(path: string): Blob {
    const blob = this.#blobs.get(path);
    if (!blob) throw invalidFile(path, `is missing; the model has ${[...this.#blobs.keys()].join(", ") || "no files"}`);
    if (blob.size === 0) throw invalidFile(path, "is empty");
    return blob;
  }

  async #read<T>(path: string, read: (blob: Blob) => Promise<T>): Promise<T> {
    const blob = this.blob(path);
    try {
      return await read(blob);
    } catch (error) {
      throw invalidFile(path, "can't be read from this browser's storage", error);
    }
  }
}

/** `model-invalid` about one file: "det.onnx is missing". */
export const invalidFile = (path: string, fault: string, cause?: unknown): LeaseholdError =>
  new LeaseholdError("model-invalid", `The model can't be used: ${path} ${fault}.`, { cause });
