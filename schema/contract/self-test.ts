/**
 * A model's self-test: a short input and what a right build answers. A backend that misses it is not used.
 *
 * - `tokens` (text-generation): greedy decoding of `input_ids` goes on with `output_ids`, one for one.
 * - `embedding` (embeddings): the vector of `input` begins with `first_dims`, each within `tolerance`.
 * - `tensors` (any task but text-generation): with these inputs, each named output has these dims, and begins with `first` within
 *   `tolerance`, or has exactly the bytes whose SHA-256 this is (little-endian; for outputs of whole numbers).
 */
import { z } from "zod";
import { sha256 } from "./ids.ts";

const tokenIds = (most: number) => z.array(z.int().min(0).max(0xffff_ffff)).min(1).max(most);
const tensorName = z.string().min(1).max(128);
/** Dims of a self-test's tensor: small by nature. */
const dims = z.array(z.int().min(0).max(65_536)).max(8);
const tolerance = z.number().positive().max(1);
const elements = (shape: readonly number[]) => shape.reduce((product, dim) => product * dim, 1);

const named = <T extends z.ZodType>(value: T, least: number) =>
  z.record(tensorName, value).refine((tensors) => Object.keys(tensors).length >= least && Object.keys(tensors).length <= 64, `${least} to 64 tensors`);

const inputTensor = z
  .strictObject({ type: z.enum(["float32", "float16", "int64", "int32", "uint8", "bool"]), dims, values: z.array(z.number()).max(4096) })
  .refine((tensor) => elements(tensor.dims) === tensor.values.length, { path: ["values"], message: "as many values as the dims say" });

const outputTensor = z
  .strictObject({ dims, first: z.array(z.number()).min(1).max(64).optional(), tolerance: tolerance.optional(), sha256: sha256.optional() })
  .refine((tensor) => (tensor.first === undefined) !== (tensor.sha256 === undefined), { path: ["first"], message: "state the first values or a SHA-256, not both" })
  .refine((tensor) => (tensor.first === undefined) === (tensor.tolerance === undefined), { path: ["tolerance"], message: "a tolerance goes with the first values" });

export const selfTest = z
  .discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("tokens"), input_ids: tokenIds(512), output_ids: tokenIds(64) }),
    z.strictObject({ kind: z.literal("embedding"), input: z.string().min(1).max(1000), first_dims: z.array(z.number()).min(1).max(64), tolerance }),
    z.strictObject({ kind: z.literal("tensors"), inputs: named(inputTensor, 0), outputs: named(outputTensor, 1) }),
  ])
  .meta({ id: "SelfTest" });
export type SelfTest = z.infer<typeof selfTest>;
