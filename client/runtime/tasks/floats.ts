/** The floats of a tensor, whatever their width. */
import type { Tensor } from "onnxruntime-web";
import { halvesToFloats } from "../graph/half.ts";

/** `null` where they are none. */
export function floatsOf(type: Tensor.Type, data: Tensor.DataType): Float32Array | null {
  if (data instanceof Float32Array) return data;
  // Where the browser has Float16Array, onnxruntime gives that.
  return type === "float16" && ArrayBuffer.isView(data) ? halvesToFloats(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) : null;
}
