/**
 * Reads an ONNX model's structure. Weights are not read: a tensor's content becomes a range of the source.
 *
 * - Throws `OnnxError` and nothing else, but for what the source itself throws.
 * - What protobuf merges where it comes twice (a graph, a tensor) may come once: another reader of the file sees what
 *   this one saw.
 * - What the file says is taken as it stands: ranges lie within the file, but no name, shape or type is checked.
 */
import { OnnxError } from "./error.ts";
import type { ByteSource } from "./source.ts";
import type { Dimension, OnnxAttribute, OnnxFunction, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, OnnxValue, OpsetImport, TensorData, TensorType, TypedField } from "./types.ts";
import { READ_LIMITS, type ReadLimits, type Spent } from "./limits.ts";
import { WireReader } from "./wire-reader.ts";

export async function readOnnx(source: ByteSource, limits: ReadLimits = READ_LIMITS, spent?: Spent): Promise<OnnxModel> {
  const reader = new WireReader(source, limits, spent);
  const opsets: OpsetImport[] = [];
  const functions: OnnxFunction[] = [];
  let irVersion = 0;
  let graph: OnnxGraph | undefined;
  const rest = await reader.eachField((field) => {
    switch (field) {
      case 1: return done(reader.count(), (value) => (irVersion = value));
      case 7: return done(reader.message(() => readGraph(reader)), (value) => {
        graph = once(graph, value, "graph");
      });
      case 8: return done(reader.message(() => readOpset(reader)), (value) => opsets.push(value));
      case 25: return done(reader.message(() => readFunction(reader)), (value) => functions.push(value));
      default: return false;
    }
  });
  if (!graph) throw new OnnxError("malformed", "this is no ONNX model: it has no graph");
  return { irVersion, opsets, graph, functions, rest };
}

function once<T>(before: T | undefined, value: T, what: string): T {
  if (before !== undefined) throw new OnnxError("malformed", `a ${what} that comes twice`);
  return value;
}

/** No runtime of ours needs them, and their dims say nothing of their bytes. */
async function noSparse(): Promise<true> {
  throw new OnnxError("unsupported", "sparse tensors");
}

/** The handler's answer "taken", once the value is put away. */
async function done<T>(value: Promise<T>, put: (value: T) => unknown): Promise<true> {
  put(await value);
  return true;
}

const taken = async (work: Promise<void>): Promise<true> => {
  await work;
  return true;
};

async function readOpset(reader: WireReader): Promise<OpsetImport> {
  let domain = "";
  let version = 0;
  await reader.eachField((field) => {
    switch (field) {
      case 1: return done(reader.string(), (value) => (domain = value));
      case 2: return done(reader.count(), (value) => (version = value));
      default: return false;
    }
  });
  return { domain, version };
}

async function readFunction(reader: WireReader): Promise<OnnxFunction> {
  let name = "";
  let domain = "";
  const nodes: OnnxNode[] = [];
  const defaults: OnnxAttribute[] = [];
  const rest = await reader.eachField((field) => {
    switch (field) {
      case 1: return done(reader.string(), (value) => (name = value));
      case 7: return done(reader.message(() => readNode(reader)), (value) => nodes.push(value));
      case 10: return done(reader.string(), (value) => (domain = value));
      case 11: return done(reader.message(() => readAttribute(reader)), (value) => defaults.push(value));
      default: return false;
    }
  });
  return { name, domain, nodes, ...(defaults.length > 0 && { defaults }), rest };
}

async function readGraph(reader: WireReader): Promise<OnnxGraph> {
  let name = "";
  const nodes: OnnxNode[] = [];
  const initializers: OnnxTensor[] = [];
  const inputs: OnnxValue[] = [];
  const outputs: OnnxValue[] = [];
  const valueInfos: Uint8Array[] = [];
  const rest = await reader.eachField((field) => {
    switch (field) {
      case 1: return done(reader.message(() => readNode(reader)), (value) => nodes.push(value));
      case 2: return done(reader.string(), (value) => (name = value));
      case 5: return done(reader.message(() => readTensor(reader)), (value) => initializers.push(value));
      case 11: return done(reader.message(() => readValue(reader)), (value) => inputs.push(value));
      case 12: return done(reader.message(() => readValue(reader)), (value) => outputs.push(value));
      case 13: return done(reader.bytes(), (value) => valueInfos.push(value));
      case 15: return noSparse();
      default: return false;
    }
  });
  return { name, nodes, initializers, inputs, outputs, valueInfos, rest };
}

async function readNode(reader: WireReader): Promise<OnnxNode> {
  let name = "";
  let opType = "";
  let domain = "";
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: OnnxAttribute[] = [];
  const rest = await reader.eachField((field) => {
    switch (field) {
      case 1: return done(reader.string(), (value) => inputs.push(value));
      case 2: return done(reader.string(), (value) => outputs.push(value));
      case 3: return done(reader.string(), (value) => (name = value));
      case 4: return done(reader.string(), (value) => (opType = value));
      case 5: return done(reader.message(() => readAttribute(reader)), (value) => attributes.push(value));
      case 7: return done(reader.string(), (value) => (domain = value));
      default: return false;
    }
  });
  return { name, opType, domain, inputs, outputs, attributes, rest };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

async function readAttribute(reader: WireReader): Promise<OnnxAttribute> {
  const attribute: Partial<Mutable<OnnxAttribute>> = {};
  const floats: number[] = [];
  const ints: bigint[] = [];
  const strings: Uint8Array[] = [];
  const tensors: OnnxTensor[] = [];
  const graphs: OnnxGraph[] = [];
  const rest = await reader.eachField((field) => {
    switch (field) {
      case 1: return done(reader.string(), (value) => (attribute.name = value));
      case 2: return done(reader.float(), (value) => (attribute.f = value));
      case 3: return done(reader.int64(), (value) => (attribute.i = value));
      case 4: return done(reader.bytes(), (value) => (attribute.s = value));
      case 5: return done(reader.message(() => readTensor(reader)), (value) => (attribute.t = once(attribute.t, value, "tensor")));
      case 6: return done(reader.message(() => readGraph(reader)), (value) => (attribute.g = once(attribute.g, value, "graph")));
      case 7: return taken(reader.floats(floats));
      case 8: return taken(reader.int64s(ints));
      case 9: return done(reader.bytes(), (value) => strings.push(value));
      case 10: return done(reader.message(() => readTensor(reader)), (value) => tensors.push(value));
      case 11: return done(reader.message(() => readGraph(reader)), (value) => graphs.push(value));
      case 20: return done(reader.small(), (value) => (attribute.type = value));
      case 22:
      case 23: return noSparse();
      default: return false;
    }
  });
  if (floats.length > 0) attribute.floats = floats;
  if (ints.length > 0) attribute.ints = ints;
  if (strings.length > 0) attribute.strings = strings;
  if (tensors.length > 0) attribute.tensors = tensors;
  if (graphs.length > 0) attribute.graphs = graphs;
  return { ...attribute, name: attribute.name ?? "", type: attribute.type ?? 0, rest };
}

const TYPED_FIELDS: ReadonlySet<number> = new Set<TypedField>([4, 5, 6, 7, 10, 11]);
const isTyped = (field: number): field is TypedField => TYPED_FIELDS.has(field);
const EXTERNAL = 1;

async function readTensor(reader: WireReader): Promise<OnnxTensor> {
  let name = "";
  let dataType = 0;
  let location = 0;
  let data: TensorData = { kind: "none" };
  const dims: number[] = [];
  const external = new Map<string, string>();

  const put = (next: TensorData) => {
    if (data.kind === "none") data = next;
    else if (data.kind === "typed" && next.kind === "typed" && data.field === next.field && data.range.offset + data.range.length === next.range.offset)
      data = { ...data, range: { offset: data.range.offset, length: data.range.length + next.range.length } };
    else throw new OnnxError("malformed", `the tensor "${name}" holds its elements twice`);
  };
  const rest = await reader.eachField((field) => {
    const start = reader.tagAt;
    if (isTyped(field)) return done(reader.skip(), () => put({ kind: "typed", field, range: { offset: start, length: reader.position - start } }));
    switch (field) {
      case 1: return taken(reader.counts(dims));
      case 2: return done(reader.small(), (value) => (dataType = value));
      case 8: return done(reader.string(), (value) => (name = value));
      case 9: return done(reader.range(), (bytes) => put({ kind: "raw", bytes }));
      case 13: return done(reader.message(() => readEntry(reader)), ([key, value]) => external.set(key, value));
      case 14: return done(reader.small(), (value) => (location = value));
      default: return false;
    }
  });
  if (location === EXTERNAL) {
    if (data.kind !== "none") throw new OnnxError("malformed", `the tensor "${name}" holds its elements twice`);
    data = externalData(name, external);
  }
  return { name, dataType, dims, data, rest };
}

function externalData(name: string, entries: ReadonlyMap<string, string>): TensorData {
  const number = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    if (!Number.isSafeInteger(value)) throw new OnnxError("malformed", `the tensor "${name}" has the ${key} "${text.slice(0, 40)}"`);
    return value;
  };
  const location = entries.get("location");
  if (location === undefined) throw new OnnxError("malformed", `the tensor "${name}" lies in another file, and doesn't say which`);
  const length = number("length");
  return { kind: "external", location, offset: number("offset") ?? 0, ...(length === undefined ? {} : { length }) };
}

async function readEntry(reader: WireReader): Promise<[key: string, value: string]> {
  let key = "";
  let value = "";
  await reader.eachField((field) => {
    switch (field) {
      case 1: return done(reader.string(), (text) => (key = text));
      case 2: return done(reader.string(), (text) => (value = text));
      default: return false;
    }
  });
  return [key, value];
}

async function readValue(reader: WireReader): Promise<OnnxValue> {
  let name = "";
  let type: Uint8Array | undefined;
  const rest = await reader.eachField((field) => {
    switch (field) {
      case 1: return done(reader.string(), (value) => (name = value));
      case 2: return done(reader.bytes(), (value) => (type = once(type, value, "type")));
      default: return false;
    }
  });
  if (!type) return { name, rest };
  const tensor = await readType(reader.inner(type));
  return { name, type, ...(tensor ? { tensor } : {}), rest };
}

async function readType(reader: WireReader): Promise<TensorType | undefined> {
  let tensor: TensorType | undefined;
  await reader.eachField((field) => (field === 1 ? done(reader.message(() => readTensorType(reader)), (value) => (tensor = once(tensor, value, "type"))) : false));
  return tensor;
}

async function readTensorType(reader: WireReader): Promise<TensorType> {
  let elementType = 0;
  let shape: Dimension[] | null = null;
  await reader.eachField((field) => {
    switch (field) {
      case 1: return done(reader.small(), (value) => (elementType = value));
      case 2: return done(reader.message(() => readShape(reader)), (value) => (shape = value));
      default: return false;
    }
  });
  return { elementType, shape };
}

async function readShape(reader: WireReader): Promise<Dimension[]> {
  const shape: Dimension[] = [];
  await reader.eachField((field) => (field === 1 ? done(reader.message(() => readDimension(reader)), (value) => shape.push(value)) : false));
  return shape;
}

async function readDimension(reader: WireReader): Promise<Dimension> {
  let dimension: Dimension = null;
  await reader.eachField((field) => {
    switch (field) {
      case 1: return done(reader.int64(), (value) => (dimension = value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : null));
      case 2: return done(reader.string(), (value) => (dimension = value));
      default: return false;
    }
  });
  return dimension;
}
