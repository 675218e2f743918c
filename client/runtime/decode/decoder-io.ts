/**
 * What the inputs and outputs of a decoder graph are, found by their names and shapes. Pure.
 *
 * - An input that nothing here knows how to fill is `model-invalid`, by its name: a guess would answer nonsense.
 * - Batch 1; keys and values as [batch, heads, tokens, size of a head].
 */
import { ELEMENT, type OnnxGraph, type OnnxValue } from "../../../schema/onnx/types.ts";
import { LeaseholdError } from "../../errors.ts";
import type { KvPair, KvType } from "./decoder.ts";

export type IdType = "int64" | "int32";

export interface DecoderIo {
  readonly ids: string;
  /** Absent in graphs that take the lengths instead (`seqlens_k`). */
  readonly mask: string | null;
  readonly positions: string | null;
  /** An input that says how many positions get logits. */
  readonly logitsToKeep: string | null;
  /** Of merged graphs: whether there is a past. */
  readonly useCache: string | null;
  readonly idType: IdType;
  readonly logits: string;
  readonly logitsType: KvType;
  /** `null` where the graph doesn't state it. */
  readonly vocabulary: number | null;
  readonly kv: readonly KvPair[];
  readonly kvType: KvType;
  /** "grouped": GroupQueryAttention, which writes into the past's own buffer; "concatenating": each present is new. */
  readonly attention: "grouped" | "concatenating";
}

const invalid = (fault: string): LeaseholdError => new LeaseholdError("model-invalid", `The model can't be used for text: ${fault}.`);

export function readDecoderIo(graph: OnnxGraph): DecoderIo {
  const initialized = new Set(graph.initializers.map(({ name }) => name));
  const inputs = graph.inputs.filter(({ name }) => !initialized.has(name));
  const outputs = new Map(graph.outputs.map((value) => [value.name, value]));

  const pasts = inputs.filter(({ name }) => name.startsWith("past"));
  const kv = pasts.map((past): KvPair => {
    const present = [past.name.replace(/^past_key_values/, "present"), past.name.replace(/^past/, "present"), past.name.replace(/^past_/, "present_")].find((name) => outputs.has(name));
    if (present === undefined) throw invalid(`the input ${past.name} has no output to go with it`);
    const [, heads, , headSize] = past.tensor?.shape ?? [];
    if (past.tensor?.shape?.length !== 4 || typeof heads !== "number" || typeof headSize !== "number") throw invalid(`the input ${past.name} has no shape of the kind batch × heads × tokens × size`);
    return { past: past.name, present, heads, headSize };
  });
  if (kv.length === 0) throw invalid("it has no past_key_values, so each token would cost as much as the whole text");

  const known = new Set(pasts.map(({ name }) => name));
  const find = (name: string): OnnxValue | undefined => {
    known.add(name);
    return inputs.find((input) => input.name === name);
  };
  const ids = find("input_ids");
  const mask = find("attention_mask");
  const positions = find("position_ids");
  const logitsToKeep = find("num_logits_to_keep");
  const useCache = find("use_cache_branch");
  if (!ids) throw invalid("it has no input_ids");
  const unknown = inputs.find(({ name }) => !known.has(name));
  if (unknown) throw invalid(`it has the input ${unknown.name}, which no text decoder here has`);
  const logits = outputs.get("logits");
  if (!logits) throw invalid("it has no output logits");
  const width = logits.tensor?.shape?.at(-1);

  const kvTypes = new Set(pasts.map(({ tensor }) => tensor?.elementType));
  if (kvTypes.size !== 1) throw invalid("its past_key_values are of more than one type");
  const pastNames = new Set(pasts.map(({ name }) => name));
  const grouped = graph.nodes.filter(({ opType, inputs: [, , , pastKey = ""] }) => opType === "GroupQueryAttention" && pastNames.has(pastKey));
  return {
    ids: ids.name,
    mask: mask?.name ?? null,
    positions: positions?.name ?? null,
    logitsToKeep: logitsToKeep?.name ?? null,
    useCache: useCache?.name ?? null,
    idType: ids.tensor?.elementType === ELEMENT.int32 ? "int32" : "int64",
    logits: logits.name,
    logitsType: floatType(logits.tensor?.elementType, "logits"),
    vocabulary: typeof width === "number" ? width : null,
    kv,
    kvType: floatType(pasts[0]?.tensor?.elementType, "past_key_values"),
    attention: grouped.length * 2 === kv.length ? "grouped" : "concatenating",
  };
}

function floatType(element: number | undefined, name: string): KvType {
  if (element === ELEMENT.float) return "float32";
  if (element === ELEMENT.float16) return "float16";
  throw invalid(`its ${name} are neither float32 nor float16`);
}
