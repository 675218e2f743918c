/**
 * A made-up decoder as model hubs have them: weights in blocks of 4 bits, embeddings of 8 shared with the logits,
 * grouped attention with rotation, two layers. It says nothing of sense, and the same each time.
 */
import { intAttribute, int64Tensor, nodeOf, tensorOf } from "../../client/runtime/graph/tensors.ts";
import { ELEMENT, type OnnxModel, type OnnxNode, type OnnxTensor, type OnnxValue } from "../../schema/onnx/types.ts";
import { concat } from "../../schema/onnx/concat.ts";
import { encodeOnnx, payloadBytes } from "../../schema/onnx/write.ts";
import { randomOf } from "./random.ts";

export const BLOCK_DECODER_CONFIG = { max_position_embeddings: 512, vocab_size: 128 };
const { max_position_embeddings: CONTEXT, vocab_size: VOCABULARY } = BLOCK_DECODER_CONFIG;

export interface BlockDecoderShape {
  readonly seed?: number;
  /** Queries, keys and values apart, each with a bias; embeddings apart from the logits, with zero points. */
  readonly isSplit?: boolean;
  /** Of a split one: the token whose embedding is no numbers. */
  readonly broken?: number;
  /** Only so many of its tokens. */
  readonly vocabulary?: number;
  readonly heads?: number;
  readonly kvHeads?: number;
  readonly headSize?: number;
}
const [LAYERS, HIDDEN, INNER] = [2, 64, 96];
const BLOCK = 32;
const NOTHING = new Uint8Array(0);

const floatBytes = (values: ArrayLike<number>): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const value = (name: string, elementType: number, shape: readonly (number | string)[]): OnnxValue => ({ name, tensor: { elementType, shape }, rest: NOTHING });

export function blockDecoder({ seed = 1, isSplit = false, heads = 4, kvHeads = 2, headSize = 16, vocabulary = VOCABULARY, broken }: BlockDecoderShape = {}): OnnxModel {
  const random = randomOf(seed);
  const fraction = (): number => random.int(-1000, 1000) / 1000;
  const initializers: OnnxTensor[] = [];
  const nodes: OnnxNode[] = [];
  const add = (opType: string, inputs: readonly string[], outputs: readonly string[], attributes: Parameters<typeof nodeOf>[4] = [], domain = ""): void => {
    nodes.push(nodeOf(opType, outputs[0] ?? "", inputs, outputs, attributes, domain));
  };
  const tensor = (name: string, dataType: number, dims: readonly number[], bytes: Uint8Array): string => {
    initializers.push(tensorOf(name, dataType, dims, bytes));
    return name;
  };
  const noise = (count: number, most: number): Uint8Array => Uint8Array.from({ length: count }, () => random.int(0, most));
  const scales = (name: string, rows: number, columns: number, size: number, kept = rows): string =>
    tensor(name, ELEMENT.float, [kept, columns / BLOCK], floatBytes(Array.from({ length: (rows * columns) / BLOCK }, () => (size * (1.5 + fraction())) / 2)).slice(0, (4 * kept * columns) / BLOCK));
  const product = (input: string, output: string, rows: number, columns: number, hasZeros: boolean): void => {
    const blocks = columns / BLOCK;
    const inputs = [input, tensor(`${output}.q`, ELEMENT.uint8, [rows, blocks, 16], noise(rows * blocks * 16, 255)), scales(`${output}.s`, rows, columns, 0.04)];
    if (hasZeros) inputs.push(tensor(`${output}.z`, ELEMENT.uint8, [rows, Math.ceil(blocks / 2)], noise(rows * Math.ceil(blocks / 2), 255)));
    add("MatMulNBits", inputs, [output], [intAttribute("K", columns), intAttribute("N", rows), intAttribute("bits", 4), intAttribute("block_size", BLOCK)], "com.microsoft");
  };
  const norm = (name: string): string => tensor(name, ELEMENT.float, [HIDDEN], floatBytes(Array.from({ length: HIDDEN }, () => 1 + fraction() / 4)));
  const epsilon = { name: "epsilon", type: 1, f: 1e-5, rest: NOTHING };
  const angles = (of: (angle: number) => number): number[] => Array.from({ length: (CONTEXT * headSize) / 2 }, (_, at) => of(Math.floor(at / (headSize / 2)) * 10_000 ** (-(at % (headSize / 2)) / (headSize / 2))));

  initializers.push(int64Tensor("one", [1]), int64Tensor("index-1", [1], []), int64Tensor("embedding-shape", [vocabulary, HIDDEN]));
  tensor("cos", ELEMENT.float, [CONTEXT, headSize / 2], floatBytes(angles(Math.cos)));
  tensor("sin", ELEMENT.float, [CONTEXT, headSize / 2], floatBytes(angles(Math.sin)));
  const table = (name: string): void => {
    tensor(`${name}.q`, ELEMENT.uint8, [vocabulary, HIDDEN / BLOCK, BLOCK], noise(VOCABULARY * HIDDEN, 255).slice(0, vocabulary * HIDDEN));
    scales(`${name}.s`, VOCABULARY, HIDDEN, 0.02, vocabulary);
  };
  table("head");
  const words = isSplit ? "words" : "head";
  if (isSplit) {
    table(words);
    const last = initializers.at(-1);
    if (broken !== undefined && last?.data.kind === "raw" && last.data.bytes instanceof Uint8Array) new Float32Array(last.data.bytes.buffer).fill(NaN, (broken * HIDDEN) / BLOCK, ((broken + 1) * HIDDEN) / BLOCK);
    tensor("words.z", ELEMENT.uint8, [vocabulary, HIDDEN / BLOCK], noise((VOCABULARY * HIDDEN) / BLOCK, 255).slice(0, (vocabulary * HIDDEN) / BLOCK));
  }

  add("ReduceSum", ["attention_mask", "one"], ["mask-sum"], [intAttribute("keepdims", 0)]);
  add("Sub", ["mask-sum", "one"], ["mask-last"]);
  add("Cast", ["mask-last"], ["lengths"], [intAttribute("to", ELEMENT.int32)]);
  add("Shape", ["attention_mask"], ["mask-shape"]);
  add("Gather", ["mask-shape", "index-1"], ["mask-total"], [intAttribute("axis", 0)]);
  add("Cast", ["mask-total"], ["total"], [intAttribute("to", ELEMENT.int32)]);
  add("Reshape", [`${words}.q`, "embedding-shape"], ["rows"]);
  add("GatherBlockQuantized", ["rows", "input_ids", `${words}.s`, ...(isSplit ? ["words.z"] : [])], ["x0"], [intAttribute("bits", 8), intAttribute("block_size", BLOCK), intAttribute("gather_axis", 0), intAttribute("quantize_axis", 1)], "com.microsoft");
  add("SimplifiedLayerNormalization", ["x0", norm("norm0")], ["n0"], [intAttribute("axis", -1), epsilon]);
  for (let layer = 0; layer < LAYERS; layer++) {
    const own = (name: string): string => `${name}${layer}`;
    const next = (name: string): string => `${name}${layer + 1}`;
    const parts = isSplit ? [own("q"), own("k"), own("v")] : [own("qkv"), "", ""];
    if (isSplit) {
      for (const [name, count] of [["q", heads], ["k", kvHeads], ["v", kvHeads]] as const) {
        product(own("n"), `${own(name)}/product`, count * headSize, HIDDEN, name === "k");
        add("Add", [`${own(name)}/product`, tensor(`${own(name)}.b`, ELEMENT.float, [count * headSize], floatBytes(Array.from({ length: count * headSize }, fraction)))], [own(name)]);
      }
    } else product(own("n"), own("qkv"), (heads + 2 * kvHeads) * headSize, HIDDEN, true);
    add("GroupQueryAttention", [...parts, `past_key_values.${layer}.key`, `past_key_values.${layer}.value`, "lengths", "total", "cos", "sin"], [own("attended"), `present.${layer}.key`, `present.${layer}.value`], [intAttribute("num_heads", heads), intAttribute("kv_num_heads", kvHeads), intAttribute("do_rotary", 1)], "com.microsoft");
    product(own("attended"), own("o"), HIDDEN, heads * headSize, false);
    add("SkipSimplifiedLayerNormalization", [own("x"), own("o"), norm(own("post-norm"))], [own("m"), "", "", own("y")], [epsilon], "com.microsoft");
    product(own("m"), own("gate"), INNER, HIDDEN, false);
    product(own("m"), own("up"), INNER, HIDDEN, false);
    add("Sigmoid", [own("gate")], [own("sigmoid")]);
    add("Mul", [own("gate"), own("sigmoid")], [own("silu")]);
    add("Mul", [own("silu"), own("up")], [own("inner")]);
    product(own("inner"), own("down"), HIDDEN, INNER, false);
    add("SkipSimplifiedLayerNormalization", [own("y"), own("down"), norm(next("norm"))], [next("n"), "", "", next("x")], [epsilon], "com.microsoft");
  }
  add("MatMulNBits", [`n${LAYERS}`, "head.q", "head.s"], ["logits"], [intAttribute("K", HIDDEN), intAttribute("N", vocabulary), intAttribute("bits", 8), intAttribute("block_size", BLOCK)], "com.microsoft");

  const kv = Array.from({ length: LAYERS }, (_, layer) => ["key", "value"].map((name) => `${layer}.${name}`)).flat();
  const kvValue = (name: string) => value(name, ELEMENT.float, ["batch", kvHeads, "tokens", headSize]);
  return {
    irVersion: 10,
    opsets: [{ domain: "", version: 21 }, { domain: "com.microsoft", version: 1 }],
    functions: [],
    rest: NOTHING,
    graph: {
      name: "block-decoder",
      nodes,
      initializers,
      inputs: [value("input_ids", ELEMENT.int64, ["batch", "s"]), value("attention_mask", ELEMENT.int64, ["batch", "t"]), ...kv.map((name) => kvValue(`past_key_values.${name}`))],
      outputs: [value("logits", ELEMENT.float, ["batch", "s", vocabulary]), ...kv.map((name) => kvValue(`present.${name}`))],
      valueInfos: [],
      rest: NOTHING,
    },
  };
}

export const fileOf = (model: OnnxModel): Uint8Array<ArrayBuffer> => concat(encodeOnnx(model).parts.map((part) => payloadBytes(part, () => NOTHING))).slice();
export const blockDecoderFile = (shape?: BlockDecoderShape): Uint8Array<ArrayBuffer> => fileOf(blockDecoder(shape));
