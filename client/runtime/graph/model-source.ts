/**
 * A model's files as the rewrites and the session need them: structure first, weights when they are asked for.
 *
 * - Weights are read at once where they lie, for a session asks for them in the middle of its start; nothing of them is
 *   kept here. Who takes them one after another says what is left (`keepOnly`).
 * - A range beyond its file is `model-invalid`, with the file's name.
 */
import { OnnxError } from "../../../schema/onnx/error.ts";
import { readOnnx } from "../../../schema/onnx/read.ts";
import type { ByteRange, OnnxModel, Payload } from "../../../schema/onnx/types.ts";
import { encodeOnnx, loadPayload, payloadBytes } from "../../../schema/onnx/write.ts";
import { concat } from "../../../schema/onnx/concat.ts";
import type { ExternalData } from "../backends/ort-module.ts";
import type { LeaseholdError } from "../../errors.ts";
import type { FileContent } from "../tasks/file-content.ts";
import { invalidFile, type ModelFiles } from "../tasks/model-files.ts";
import { externalize } from "./externalize.ts";

export interface SessionModel {
  readonly model: Uint8Array;
  /** `whole` makes all of them at once, for who can't ask for one after another. */
  readonly weights: ExternalData & { whole(): Uint8Array };
}

export class ModelSource {
  readonly path: string;
  readonly #files: ModelFiles;

  constructor(files: ModelFiles, path: string) {
    this.#files = files;
    this.path = path;
  }

  async structure(): Promise<OnnxModel> {
    const known = this.#files.structures.get(this.path);
    if (known) return known;
    try {
      return await readOnnx(this.#files.content(this.path));
    } catch (error) {
      throw error instanceof OnnxError ? invalidFile(this.path, `can't be read (${error.message})`, error) : error;
    }
  }

  /** The model as a session takes it, with its weights in the file named `location`. */
  forSession(rewritten: OnnxModel, location: string): SessionModel {
    const { model, weights, length } = externalize(rewritten, location);
    const read = (range: ByteRange) => this.#read(range);
    return {
      model: concat(encodeOnnx(model).parts.map((part) => payloadBytes(part, read))),
      weights: {
        byteLength: length,
        subarray: (begin, end) => {
          const payload = weights.get(begin);
          if (!payload || payload.length !== end - begin) throw invalidFile(this.path, "asks for weights that it doesn't have");
          return payloadBytes(payload, read);
        },
        whole() {
          const bytes = new Uint8Array(length);
          for (const [offset, payload] of weights) bytes.set(payloadBytes(payload, read), offset);
          return bytes;
        },
      },
    };
  }

  /** Some of a payload, as it lies in its file. May be a view of the file's own memory: to be copied at once. */
  async part(payload: Payload, from: number, length: number): Promise<Uint8Array> {
    const { each, from: [input] = [] } = "make" in payload ? payload : {};
    if ("make" in payload && each && input) return payload.make([await this.part(input, (from / each.to) * each.from, (length / each.to) * each.from)]);
    if (!("offset" in payload)) return (await loadPayload(payload, (range) => this.#load(range))).subarray(from, from + length);
    return this.#load({ ...payload, offset: payload.offset + from, length });
  }

  /** Of the files that hold `all`, no more is read than `left`: memory that holds the rest is given back. */
  keepOnly(left: readonly ByteRange[], all: readonly ByteRange[]): void {
    for (const path of new Set(all.map((range) => this.#pathOf(range)))) {
      const content = this.#files.content(path);
      if (content.kind === "loaded") content.keepOnly(left.filter((range) => this.#pathOf(range) === path));
    }
  }

  #pathOf = ({ file }: ByteRange): string => (file === undefined ? this.path : beside(this.path, file));

  #read(range: ByteRange): Uint8Array {
    const { path, content } = this.#contentOf(range);
    const { offset, length } = range;
    try {
      return content.kind === "loaded" ? content.readNow(offset, length) : bytesNow(content.blob.slice(offset, offset + length));
    } catch (error) {
      throw unreadable(path, error);
    }
  }

  async #load(range: ByteRange): Promise<Uint8Array> {
    const { path, content } = this.#contentOf(range);
    return content.read(range.offset, range.length).catch((error: unknown) => {
      throw unreadable(path, error);
    });
  }

  #contentOf(range: ByteRange): { readonly path: string; readonly content: FileContent } {
    const path = this.#pathOf(range);
    const content = this.#files.content(path);
    if (range.offset + range.length > content.size) throw invalidFile(path, "is shorter than the model says");
    return { path, content };
  }
}

/** Workers alone have it; the types of what they run are seen from pages too. */
interface Waiting {
  readonly FileReaderSync: new () => { readAsArrayBuffer(blob: Blob): ArrayBuffer };
}
const bytesNow = (blob: Blob): Uint8Array => new Uint8Array(new (globalThis as unknown as Waiting).FileReaderSync().readAsArrayBuffer(blob));

const unreadable = (path: string, error: unknown): LeaseholdError => invalidFile(path, "can't be read from this browser's storage", error);

/** External data stands next to its model. */
const beside = (path: string, name: string): string => path.slice(0, path.lastIndexOf("/") + 1) + name.replace(/^\.\//, "");
