/**
 * Writes an ONNX model: its structure anew, its weights passed through from where they are.
 *
 * - `encodeOnnx` needs no weights and knows the length; `onnxChunks` gives the bytes, piece by piece.
 * - Reading what was written gives an equal model.
 */
import type { ByteRange, OnnxAttribute, OnnxFunction, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, OnnxValue, Payload } from "./types.ts";
import { concat } from "./concat.ts";
import { WireMessage } from "./wire-writer.ts";

export interface EncodedOnnx {
  readonly length: number;
  readonly parts: readonly Payload[];
}

const isRange = (payload: Payload): payload is ByteRange => "offset" in payload;

/** A payload's bytes, by a reader of ranges that answers at once. */
export function payloadBytes(payload: Payload, read: (range: ByteRange) => Uint8Array): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  if (isRange(payload)) return read(payload);
  return payload.make(payload.from.map((input) => payloadBytes(input, read)));
}

/** The same for a reader that takes its time. */
export async function loadPayload(payload: Payload, read: (range: ByteRange) => Promise<Uint8Array>): Promise<Uint8Array> {
  if (payload instanceof Uint8Array) return payload;
  if (isRange(payload)) return read(payload);
  return payload.make(await Promise.all(payload.from.map((input) => loadPayload(input, read))));
}

const PIECE = 64 * 1024;

export async function* onnxChunks({ parts }: EncodedOnnx, read: (range: ByteRange) => Promise<Uint8Array>): AsyncGenerator<Uint8Array> {
  let small: Uint8Array[] = [];
  let size = 0;
  for (const part of parts) {
    const bytes = await loadPayload(part, read);
    small.push(bytes);
    size += bytes.length;
    if (size < PIECE) continue;
    yield concat(small);
    small = [];
    size = 0;
  }
  if (size > 0) yield concat(small);
}

export function encodeOnnx({ irVersion, opsets, graph, functions, rest }: OnnxModel): EncodedOnnx {
  const message = new WireMessage().int(1, irVersion);
  for (const { domain, version } of opsets) message.message(8, text(new WireMessage(), 1, domain).int(2, version));
  message.encoded(rest).message(7, encodeGraph(graph));
  for (const item of functions) message.message(25, encodeFunction(item));
  return message;
}

/** Proto3: an empty string is one that isn't there. */
const text = (message: WireMessage, field: number, value: string): WireMessage => (value === "" ? message : message.string(field, value));

function encodeFunction({ name, domain, nodes, defaults = [], rest }: OnnxFunction): WireMessage {
  const message = text(new WireMessage(), 1, name);
  for (const node of nodes) message.message(7, encodeNode(node));
  text(message, 10, domain);
  for (const attribute of defaults) message.message(11, encodeAttribute(attribute));
  return message.encoded(rest);
}

function encodeGraph({ name, nodes, initializers, inputs, outputs, valueInfos, rest }: OnnxGraph): WireMessage {
  const message = new WireMessage();
  for (const node of nodes) message.message(1, encodeNode(node));
  text(message, 2, name);
  for (const tensor of initializers) message.message(5, encodeTensor(tensor));
  for (const value of inputs) message.message(11, encodeValue(value));
  for (const value of outputs) message.message(12, encodeValue(value));
  for (const info of valueInfos) message.bytes(13, info);
  return message.encoded(rest);
}

function encodeNode({ name, opType, domain, inputs, outputs, attributes, rest }: OnnxNode): WireMessage {
  const message = new WireMessage();
  for (const input of inputs) message.string(1, input);
  for (const output of outputs) message.string(2, output);
  text(text(message, 3, name), 4, opType);
  for (const attribute of attributes) message.message(5, encodeAttribute(attribute));
  return text(message, 7, domain).encoded(rest);
}

function encodeAttribute(attribute: OnnxAttribute): WireMessage {
  const message = text(new WireMessage(), 1, attribute.name);
  if (attribute.f !== undefined) message.float(2, attribute.f);
  if (attribute.i !== undefined) message.int(3, attribute.i);
  if (attribute.s) message.bytes(4, attribute.s);
  if (attribute.t) message.message(5, encodeTensor(attribute.t));
  if (attribute.g) message.message(6, encodeGraph(attribute.g));
  for (const value of attribute.floats ?? []) message.float(7, value);
  message.packed(8, attribute.ints ?? []);
  for (const value of attribute.strings ?? []) message.bytes(9, value);
  for (const value of attribute.tensors ?? []) message.message(10, encodeTensor(value));
  for (const value of attribute.graphs ?? []) message.message(11, encodeGraph(value));
  if (attribute.type !== 0) message.int(20, attribute.type);
  return message.encoded(attribute.rest);
}

function encodeTensor({ name, dataType, dims, data, rest }: OnnxTensor): WireMessage {
  const message = text(new WireMessage().packed(1, dims).int(2, dataType), 8, name).encoded(rest);
  switch (data.kind) {
    case "none":
      return message;
    case "raw":
      return message.bytes(9, data.bytes);
    case "typed":
      return message.encoded(data.range);
    case "external": {
      const entries = { location: data.location, offset: String(data.offset), ...(data.length === undefined ? {} : { length: String(data.length) }) };
      for (const [key, value] of Object.entries(entries)) message.message(13, new WireMessage().string(1, key).string(2, value));
      return message.int(14, 1);
    }
  }
}

function encodeValue({ name, type, tensor, rest }: OnnxValue): WireMessage {
  const message = text(new WireMessage(), 1, name);
  if (type) message.bytes(2, type);
  else if (tensor) {
    const tensorType = new WireMessage().int(1, tensor.elementType);
    if (tensor.shape) {
      const shape = new WireMessage();
      for (const size of tensor.shape) shape.message(1, encodeDimension(size));
      tensorType.message(2, shape);
    }
    message.message(2, new WireMessage().message(1, tensorType));
  }
  return message.encoded(rest);
}

function encodeDimension(size: number | string | null): WireMessage {
  if (size === null) return new WireMessage();
  return typeof size === "number" ? new WireMessage().int(1, size) : new WireMessage().string(2, size);
}
