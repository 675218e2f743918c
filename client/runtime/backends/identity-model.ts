/**
 * The smallest ONNX model: y = Identity(x), one float.
 *
 * Opening it starts the engine (fetch, compile, threads, GPU device) and nothing else, so a fault of the engine
 * is told from a fault of the model.
 */
const ascii = (text: string): number[] => [...text].map((character) => character.charCodeAt(0));

/** A length-delimited protobuf field. */
const field = (number: number, ...payload: readonly number[]): number[] => [(number << 3) | 2, payload.length, ...payload];
const varint = (number: number, value: number): number[] => [number << 3, value];

const FLOAT = 1;
const oneFloat = field(1, ...varint(1, FLOAT), ...field(2, ...field(1, ...varint(1, 1))));
const valueInfo = (name: string): number[] => [...field(1, ...ascii(name)), ...field(2, ...oneFloat)];
const node = [...field(1, ...ascii("x")), ...field(2, ...ascii("y")), ...field(4, ...ascii("Identity"))];
const graph = [...field(1, ...node), ...field(2, ...ascii("g")), ...field(11, ...valueInfo("x")), ...field(12, ...valueInfo("y"))];

/** IR version 8, opset 13. */
export const IDENTITY_MODEL = new Uint8Array([...varint(1, 8), ...field(7, ...graph), ...field(8, ...varint(2, 13))]);
