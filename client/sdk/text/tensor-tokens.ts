/**
 * What a run by named tensors counts, by the measure of the model's manifest. Pure.
 *
 * - Text: each number of `input_ids`, padding too, for the model computes it. Pictures: as such of that size, [n, c, height, width].
 * - Where that can't be seen the call is `invalid-request`: it would cost nothing.
 */
import type { UsageMeasure } from "../../../schema/contract/models.ts";
import { imageTokens } from "../../../schema/contract/measure.ts";
import { LeaseholdError } from "../../errors.ts";
import type { RawTensor } from "../../runtime/tasks/raw/tensors.ts";
import { isObject } from "./values.ts";

type Inputs = Readonly<Record<string, RawTensor>>;

const IDS = /(?:^|_)input_ids$/;

/** Null: the manifest states what a run costs. */
export function tensorTokens({ measure }: UsageMeasure, inputs: Inputs): number | null {
  if (measure === "per-run") return null;
  const tensors = Object.entries(isObject(inputs) ? inputs : {}).filter(([, tensor]) => isObject(tensor));
  const counts = tensors.map(([name, tensor]) => (measure === "text-tokens" ? idsIn(name, tensor) : picturesIn(tensor)));
  const tokens = counts.reduce((sum, count) => sum + count, 0);
  if (tokens > 0) return tokens;
  const seen = measure === "text-tokens" ? "the numbers of input_ids" : "the sizes of pictures, in a tensor of [number, channels, height, width]";
  throw new LeaseholdError("invalid-request", `This model is paid by ${measure === "text-tokens" ? "tokens of text" : "pictures"}: a run by named tensors counts ${seen}, and this one has none.`);
}

const idsIn = (name: string, { data }: RawTensor): number => (IDS.test(name) && Number.isSafeInteger(data?.length) ? data.length : 0);

function picturesIn({ dims }: RawTensor): number {
  if (!Array.isArray(dims) || dims.length !== 4 || !dims.every((size) => Number.isSafeInteger(size) && size > 0)) return 0;
  const [count, , height, width] = dims as [number, number, number, number];
  return count * imageTokens(width, height);
}
