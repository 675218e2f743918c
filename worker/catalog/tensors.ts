/**
 * Tensors of a tenant's own in the ONNX files of a base: the files are made of the base's chunks and the tenant's.
 *
 * - Only the structure of the base is read, and what stays of a chunk that a tensor lies in with others: those bytes are
 *   stored with the tenant, small as they are, so that every chunk is wholly the base's or wholly the tenant's.
 * - A tensor keeps its type and dims, so nothing else of a file moves. What shares its bytes (tied weights) changes with it.
 * - A base whose tensor stands as protobuf numbers can't be changed so; nor can a file that is the tenant's own.
 */
import type { DerivationCreate, TensorChange } from "../../schema/contract/catalog.ts";
import type { Sha256 } from "../../schema/contract/ids.ts";
import { type Chunk, MAX_FILE_CHUNKS, type ModelFile, type RevisionBody, type Variant, tornChunk } from "../../schema/contract/models.ts";
import { OnnxError } from "../../schema/onnx/error.ts";
import { quoted, shown } from "../../schema/onnx/fault.ts";
import { READ_LIMITS, type Spent } from "../../schema/onnx/limits.ts";
import { readOnnx } from "../../schema/onnx/read.ts";
import { type OnnxTensor, tensorBytes } from "../../schema/onnx/types.ts";
import { type Result, done, refuse } from "../ledger/result.ts";
import { type ChunkStore, boundedStore, storedSource } from "../models/inspect.ts";
import { type Change, type Edge, type Part, compose } from "./compose.ts";

/** More pieces than that are a file of its own. */
const MAX_EDGES = 128;

/** Where the base's bytes are, and where what stays of a cut chunk is put. */
export interface Cuttings {
  readonly base: ChunkStore;
  /** Stores a piece of a base's chunk with the tenant; gives its digest. */
  keep(edge: Edge): Promise<Sha256>;
}

class Unfit extends Error {}
const unfit = (detail: string): never => {
  throw new Unfit(detail);
};

/** `body`: the base with the tenant's own files, `files`, in it already. */
export async function withTensors(body: RevisionBody, { files, tensors }: Pick<DerivationCreate, "files" | "tensors">, { base, keep }: Cuttings): Promise<Result<RevisionBody>> {
  try {
    const own = new Set(files.map(({ path }) => path));
    const graphs = new Graphs(boundedStore(base));
    for (const { path } of tensors) if (!body.variants.some((variant) => variant.files.some((file) => file.path === path))) unfit(`tensors: the base has no file ${path}.`);
    const composed: { variant: Variant; parts: Map<string, readonly Part[]> }[] = [];
    for (const variant of body.variants) composed.push({ variant, parts: await cut(variant, own, tensors, graphs) });
    const edges = new Map<string, Edge>();
    for (const { parts } of composed) for (const part of [...parts.values()].flat()) if (part.kind === "edge") edges.set(keyOf(part.edge), part.edge);
    if (edges.size > MAX_EDGES) unfit(`tensors: ${edges.size} pieces of the base's chunks would stay beside the changed ones, more than ${MAX_EDGES}. Derive with the whole file.`);
    const kept = new Map<string, Chunk>();
    for (const [key, edge] of edges) kept.set(key, { sha256: await keep(edge), size: edge.size });
    const variants = composed.map(({ variant, parts }) => ({ ...variant, files: variant.files.map((file) => withParts(file, parts.get(file.path), kept)) }));
    const torn = tornChunk(variants);
    if (torn !== null) unfit(`tensors: the chunk ${torn} would have two sizes.`);
    return done({ ...body, variants });
  } catch (cause) {
    if (cause instanceof Unfit) return refuse("invalid-request", cause.message);
    if (cause instanceof OnnxError) return refuse("invalid-request", `tensors: the base's structure can't be read: ${shown(cause.message, 200)}. Derive with the whole file.`);
    throw cause;
  }
}

/** The files of this variant that change, by path, in their new parts. */
async function cut({ id, files }: Variant, own: ReadonlySet<string>, tensors: readonly TensorChange[], graphs: Graphs): Promise<Map<string, readonly Part[]>> {
  const changes = new Map<string, Change[]>();
  for (const wanted of tensors) {
    const graph = files.find(({ path }) => path === wanted.path);
    if (!graph) continue;
    const tensor = own.has(graph.path) ? unfit(`tensors: ${wanted.path} is your own file. Put the tensor into it.`) : (await graphs.of(graph)).get(wanted.name);
    if (!tensor) return unfit(`tensors: ${wanted.path} of the variant ${id} has no initializer ${quoted(wanted.name)}.`);
    const { path, offset, size } = placeOf(tensor, graph);
    if (own.has(path)) unfit(`tensors: ${quoted(wanted.name)} lies in ${path}, which is your own file. Put the tensor into it.`);
    if (size !== wanted.size) unfit(`tensors: ${quoted(wanted.name)} of the variant ${id} has ${size} bytes, not ${wanted.size}. A tensor keeps its type and dims.`);
    changes.set(path, [...(changes.get(path) ?? []), { offset, size, chunks: wanted.chunks }]);
  }
  const parts = new Map<string, readonly Part[]>();
  for (const [path, own] of changes) {
    const file = files.find((one) => one.path === path) as ModelFile;
    const composed = compose(file, own) ?? unfit(`tensors: two of them lie over each other in ${path}. Change one.`);
    if (composed.length > MAX_FILE_CHUNKS) unfit(`tensors: ${path} would have ${composed.length} chunks, more than ${MAX_FILE_CHUNKS}. Derive with the whole file.`);
    parts.set(path, composed);
  }
  return parts;
}

/** Where a tensor's bytes are. The base was inspected when it was committed: they are within its files. */
function placeOf(tensor: OnnxTensor, graph: ModelFile): { path: string; offset: number; size: number } {
  const { name, data } = tensor;
  if (data.kind === "external") return { path: graph.path.slice(0, graph.path.lastIndexOf("/") + 1) + data.location, offset: data.offset, size: data.length ?? tensorBytes(tensor) ?? 0 };
  if (data.kind === "raw" && "offset" in data.bytes) return { path: graph.path, offset: data.bytes.offset, size: data.bytes.length };
  return unfit(`tensors: ${quoted(name)} does not stand in the file byte for byte. Derive with the whole file.`);
}

function withParts(file: ModelFile, parts: readonly Part[] | undefined, kept: ReadonlyMap<string, Chunk>): ModelFile {
  if (!parts) return file;
  return { path: file.path, size: file.size, chunks: parts.map((part) => (part.kind === "chunk" ? part.chunk : (kept.get(keyOf(part.edge)) as Chunk))) };
}

const keyOf = ({ of, offset, size }: Edge): string => `${of} ${offset} ${size}`;

/** The initializers of each file by name; variants share files. */
class Graphs {
  readonly #store: ChunkStore;
  readonly #read = new Map<string, ReadonlyMap<string, OnnxTensor>>();
  readonly #spent: Spent = { fields: 0 };

  constructor(store: ChunkStore) {
    this.#store = store;
  }

  async of(file: ModelFile): Promise<ReadonlyMap<string, OnnxTensor>> {
    const key = file.chunks.map(({ sha256 }) => sha256).join();
    const known = this.#read.get(key);
    if (known) return known;
    const { graph } = await readOnnx(storedSource(file, this.#store), READ_LIMITS, this.#spent);
    const read = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
    this.#read.set(key, read);
    return read;
  }
}
