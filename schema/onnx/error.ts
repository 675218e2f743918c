/** The one error of reading and rewriting ONNX models. `code` is stable; the message says where. */
export type OnnxFault =
  | "truncated" // a length points past the end
  | "malformed" // not protobuf, or not ONNX's use of it
  | "too-deep" // messages nested deeper than the limit
  | "too-many" // more fields than the limit
  | "too-large" // more structure (names, attributes) than the limit
  | "unsupported"; // valid, and more than we can work with

export class OnnxError extends Error {
  override readonly name = "OnnxError";
  readonly code: OnnxFault;

  constructor(code: OnnxFault, message: string) {
    super(message);
    this.code = code;
  }
}
