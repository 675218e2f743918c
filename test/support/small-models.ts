/**
 * Small models of each task that reads its input once, as a hub has them: a graph that onnxruntime runs, and the files
 * beside it. Their weights are chosen so that a reader sees what must come out.
 *
 * - Texts are words of `WORDS`; each is one token between [CLS] and [SEP]. A word's embedding is 1 at its own place.
 */
import { ELEMENT, type Dimension, type OnnxAttribute, type OnnxModel, type OnnxNode, type OnnxTensor } from "../../schema/onnx/types.ts";
import { concat } from "../../schema/onnx/concat.ts";
import { encodeOnnx, payloadBytes } from "../../schema/onnx/write.ts";

/** By path. */
export type SmallModel = Readonly<Record<string, Uint8Array>>;

const NOTHING = new Uint8Array(0);
const SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] as const;
export const WORDS = ["paris", "anna", "goal", "vote", "good", "bad", "the", "is", "about", "."] as const;
type Word = (typeof WORDS)[number];
const VOCABULARY = [...SPECIALS, ...WORDS];
const SIZE = VOCABULARY.length;

const value = (name: string, elementType: number, shape: readonly Dimension[]) => ({ name, tensor: { elementType, shape }, rest: NOTHING });
const node = (opType: string, inputs: string[], outputs: string[], attributes: OnnxAttribute[] = []): OnnxNode => ({ name: outputs[0] ?? opType, domain: "", opType, inputs, outputs, attributes, rest: NOTHING });
const int = (name: string, of: number): OnnxAttribute => ({ name, type: 2, i: BigInt(of), rest: NOTHING });
const floats = (name: string, dims: readonly number[], data: readonly number[]): OnnxTensor => ({ name, dataType: ELEMENT.float, dims, data: { kind: "raw", bytes: new Uint8Array(Float32Array.from(data).buffer) }, rest: NOTHING });
const int64s = (name: string, data: readonly number[]): OnnxTensor => ({ name, dataType: ELEMENT.int64, dims: [data.length], data: { kind: "raw", bytes: new Uint8Array(BigInt64Array.from(data, BigInt).buffer) }, rest: NOTHING });

export function onnxBytes(graph: Pick<OnnxModel["graph"], "nodes" | "initializers" | "inputs" | "outputs">): Uint8Array {
  const model: OnnxModel = { irVersion: 8, opsets: [{ domain: "", version: 17 }], functions: [], rest: NOTHING, graph: { name: "g", valueInfos: [], rest: NOTHING, ...graph } };
  return concat(encodeOnnx(model).parts.map((part) => payloadBytes(part, () => NOTHING)));
}

/** y = x + x, of one float. */
export const doubleModel = (): Uint8Array => onnxBytes({ nodes: [node("Add", ["x", "x"], ["y"])], initializers: [], inputs: [value("x", ELEMENT.float, [1])], outputs: [value("y", ELEMENT.float, [1])] });

const json = (of: unknown) => new TextEncoder().encode(JSON.stringify(of));

const TOKENIZER = {
  version: "1.0",
  added_tokens: SPECIALS.map((content, id) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })),
  normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "[CLS]", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: "[SEP]", type_id: 0 } }],
    pair: [{ SpecialToken: { id: "[CLS]", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: "[SEP]", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }, { SpecialToken: { id: "[SEP]", type_id: 1 } }],
    special_tokens: Object.fromEntries(["[CLS]", "[SEP]"].map((token) => [token, { id: token, ids: [SPECIALS.indexOf(token as "[CLS]")], tokens: [token] }])),
  },
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model: { type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", max_input_chars_per_word: 100, vocab: Object.fromEntries(VOCABULARY.map((token, id) => [token, id])) },
};

const TEXT_INPUTS = [value("input_ids", ELEMENT.int64, ["batch", "length"]), value("attention_mask", ELEMENT.int64, ["batch", "length"])];
const TABLE = floats("table", [SIZE, SIZE], Array.from({ length: SIZE * SIZE }, (_, at) => Number(at % SIZE === Math.floor(at / SIZE))));
/** Each token's embedding; padding has none. */
const EMBED = [
  node("Gather", ["table", "input_ids"], ["embedded"]),
  node("Cast", ["attention_mask"], ["mask"], [int("to", ELEMENT.float)]),
  node("Unsqueeze", ["mask", "last"], ["mask_column"]),
  node("Mul", ["embedded", "mask_column"], ["states"]),
];
const LAST = int64s("last", [-1]);

const textFiles = (config: object, nodes: readonly OnnxNode[], initializers: readonly OnnxTensor[], ...outputs: readonly (readonly [name: string, shape: readonly Dimension[]])[]): SmallModel => ({
  "config.json": json({ max_position_embeddings: 64, pad_token_id: 0, ...config }),
  "tokenizer.json": json(TOKENIZER),
  "tokenizer_config.json": json({ tokenizer_class: "BertTokenizer", model_max_length: 64 }),
  "onnx/model.onnx": onnxBytes({ nodes: [...EMBED, ...nodes], initializers: [TABLE, LAST, ...initializers], inputs: TEXT_INPUTS, outputs: outputs.map(([name, shape]) => value(name, ELEMENT.float, shape)) }),
});

/** Words to scores; words that aren't named score 0. */
const weights = (rows: readonly Partial<Record<Word, number>>[]): OnnxTensor =>
  floats("weights", [SIZE, rows.length], VOCABULARY.flatMap((token) => rows.map((row) => row[token as Word] ?? 0)));

/** What the words are, one number a word of the vocabulary. */
export const embeddingModel = (more: SmallModel = {}): SmallModel => ({ ...more, ...textFiles({}, [node("Identity", ["states"], ["last_hidden_state"])], [], ["last_hidden_state", ["batch", "length", SIZE]]) });

/** As CLIP's text side: beside the states of its tokens it gives an embedding that it made of them, here their sum. */
export const textEmbedsModel = (): SmallModel =>
  textFiles({}, [node("ReduceSum", ["states", "tokens"], ["text_embeds"], [int("keepdims", 0)]), node("Identity", ["states"], ["last_hidden_state"])], [int64s("tokens", [1])], ["last_hidden_state", ["batch", "length", SIZE]], ["text_embeds", ["batch", SIZE]]);

/** "good" is POSITIVE, "bad" NEGATIVE. */
export const classifierModel = (config: object = {}): SmallModel =>
  textFiles(
    { id2label: { 0: "NEGATIVE", 1: "POSITIVE" }, ...config },
    [node("ReduceSum", ["states", "tokens"], ["bag"], [int("keepdims", 0)]), node("MatMul", ["bag", "weights"], ["logits"])],
    [int64s("tokens", [1]), weights([{ bad: 4 }, { good: 4 }])],
    ["logits", ["batch", 2]],
  );

/** "Anna" is a person, "Paris" a place. */
export const taggerModel = (): SmallModel =>
  textFiles(
    { id2label: { 0: "O", 1: "B-PER", 2: "B-LOC" } },
    [node("MatMul", ["states", "weights"], ["scores"]), node("Add", ["scores", "bias"], ["logits"])],
    [weights([{}, { anna: 9 }, { paris: 9 }]), floats("bias", [3], [3, 0, 0])],
    ["logits", ["batch", "length", 3]],
  );

/** A hypothesis follows from a text that has its words. */
export const nliModel = (): SmallModel =>
  textFiles(
    { id2label: { 0: "contradiction", 1: "neutral", 2: "entailment" } },
    [
      node("ReduceSum", ["states", "tokens"], ["bag"], [int("keepdims", 0)]),
      node("Mul", ["bag", "bag"], ["twice"]),
      node("MatMul", ["twice", "weights"], ["logits"]),
    ],
    [int64s("tokens", [1]), weights([{}, {}, { goal: 2, vote: 2 }])],
    ["logits", ["batch", 3]],
  );

/** A document has to do with a question by the words that both have. */
export const rankingModel = (): SmallModel =>
  textFiles(
    {},
    [node("ReduceSum", ["states", "tokens"], ["bag"], [int("keepdims", 0)]), node("Mul", ["bag", "bag"], ["twice"]), node("MatMul", ["twice", "weights"], ["logits"])],
    [int64s("tokens", [1]), weights([{ goal: 1, vote: 1 }])],
    ["logits", ["batch", 1]],
  );

const PICTURE = { do_resize: true, size: { height: 8, width: 8 }, do_rescale: true, rescale_factor: 1 / 255, do_normalize: true, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
const pictureFiles = (config: object, nodes: readonly OnnxNode[], initializers: readonly OnnxTensor[], output: readonly [string, readonly Dimension[]]): SmallModel => ({
  "config.json": json(config),
  "preprocessor_config.json": json(PICTURE),
  "onnx/model.onnx": onnxBytes({
    nodes: [node("GlobalAveragePool", ["pixel_values"], ["pooled"]), node("Flatten", ["pooled"], ["colour"]), ...nodes],
    initializers,
    inputs: [value("pixel_values", ELEMENT.float, ["batch", 3, "height", "width"])],
    outputs: [value(output[0], ELEMENT.float, output[1])],
  }),
});

/** Which of red, green and blue a picture has most of. */
export const colourModel = (): SmallModel =>
  pictureFiles({ id2label: { 0: "red", 1: "green", 2: "blue" } }, [node("MatMul", ["colour", "weights"], ["logits"])], [floats("weights", [3, 3], [8, 0, 0, 0, 8, 0, 0, 0, 8])], ["logits", ["batch", 3]]);

/** As CLIP's image side: a picture's embedding is its mean colour, from −1 to 1. */
export const pictureEmbeddingModel = (): SmallModel => pictureFiles({}, [node("Identity", ["colour"], ["image_embeds"])], [], ["image_embeds", ["batch", 3]]);

/** A graph whose numbers differ in their last bits from one backend to the other. */
export const wavesModel = (): SmallModel => ({
  "model.onnx": onnxBytes({
    nodes: [node("Sin", ["x"], ["sine"]), node("Exp", ["sine"], ["waves"])],
    initializers: [],
    inputs: [value("x", ELEMENT.float, ["n"])],
    outputs: [value("waves", ELEMENT.float, ["n"])],
  }),
});

/** Its logits are the logarithm of what is negative. */
export const noNumbersModel = (): SmallModel =>
  textFiles(
    { id2label: { 0: "a", 1: "b" } },
    [node("ReduceSum", ["states", "tokens"], ["bag"], [int("keepdims", 0)]), node("MatMul", ["bag", "weights"], ["none"]), node("Sub", ["none", "one"], ["negative"]), node("Log", ["negative"], ["logits"])],
    [int64s("tokens", [1]), weights([{}, {}]), floats("one", [1], [1])],
    ["logits", ["batch", 2]],
  );
