import { expect, test } from "vitest";
import { attendPieces, PIECE_INPUTS } from "../../../../client/runtime/graph/attend-pieces.ts";
import { intAttribute, tensorOf } from "../../../../client/runtime/graph/tensors.ts";
import { pieceInputs } from "../../../../client/runtime/decode/small-inputs.ts";
import { ELEMENT, type OnnxModel, type OnnxNode, type OnnxValue } from "../../../../schema/onnx/types.ts";
import { modelOf, node, NOTHING } from "../../onnx/models.ts";

const value = (name: string, elementType: number, heads = 2): OnnxValue => ({ name, tensor: { elementType, shape: [1, heads, "past", 16] }, rest: NOTHING });

const attention = ({ inputs = ["q", "k", "v", "past.k", "past.v", "lengths", "total", "cos", "sin"], attributes = [], domain = "com.microsoft", outputs = ["out", "present.k", "present.v"] }: Partial<OnnxNode> = {}): OnnxNode =>
  node("GroupQueryAttention", [...inputs], [...outputs], { name: "attn", domain, attributes: [intAttribute("num_heads", 6), intAttribute("kv_num_heads", 2), intAttribute("do_rotary", 1), ...attributes] });

const decoder = (one: OnnxNode, { halfHead = 8, sines = 64, kvHeads = 2, pastType = ELEMENT.float as number } = {}): OnnxModel =>
  modelOf({ nodes: [node("Identity", ["x"], ["q"]), one], inputs: [value("past.k", pastType), value("past.v", pastType, kvHeads)], initializers: [tensorOf("cos", ELEMENT.float, [64, halfHead], NOTHING), tensorOf("sin", ELEMENT.float, [sines, halfHead], NOTHING)] });

test("attention becomes a choice between products, for a piece, and the operator, for a token", () => {
  const rewritten = attendPieces(decoder(attention()));
  expect(rewritten?.shape).toEqual({ kvHeads: 2, group: 3 });
  const { nodes, inputs } = rewritten?.model.graph ?? { nodes: [], inputs: [] };
  expect(nodes.map(({ opType, inputs: from, outputs }) => [opType, from, outputs])).toEqual([["Identity", ["x"], ["q"]], ["If", [PIECE_INPUTS.isPiece], ["out", "present.k", "present.v"]]]);
  expect(inputs.slice(2).map(({ name }) => name)).toEqual(Object.values(PIECE_INPUTS));
  const [piece, token] = nodes[1]?.attributes.map(({ g }) => g?.nodes.map(({ opType }) => opType)) ?? [];
  expect(token).toEqual(["GroupQueryAttention"]);
  expect(piece).not.toContain("GroupQueryAttention");
  expect(piece).toEqual(expect.arrayContaining(["RotaryEmbedding", "ScatterND", "FusedMatMul", "Softmax"]));
});

test("joined queries, keys and values are split", () => {
  const branch = attendPieces(decoder(attention({ inputs: ["q", "", "", "past.k", "past.v", "lengths", "total", "cos", "sin"] })))?.model.graph.nodes[1]?.attributes[0]?.g;
  expect(branch?.nodes[0]).toMatchObject({ opType: "Split", inputs: ["q", "leasehold/96_32_32"] });
});

test.each([
  ["a window", decoder(attention({ attributes: [intAttribute("local_window_size", 128)] }))],
  ["a cap", decoder(attention({ attributes: [{ name: "softcap", type: 1, f: 30, rest: NOTHING }] }))],
  ["something newer than this", decoder(attention({ attributes: [intAttribute("unheard_of", 0)] }))],
  ["a bias", decoder(attention({ inputs: ["q", "k", "v", "past.k", "past.v", "lengths", "total", "cos", "sin", "", "bias"] }))],
  ["rotation of a part", decoder(attention(), { halfHead: 4 })],
  ["fewer sines than cosines", decoder(attention(), { sines: 32 })],
  ["values of fewer heads than keys", decoder(attention(), { kvHeads: 1 })],
  ["keys of 16 bits", decoder(attention(), { pastType: ELEMENT.float16 })],
  ["keys without values", decoder(attention({ inputs: ["q", "k", "", "past.k", "past.v", "lengths", "total", "cos", "sin"] }))],
  ["another vendor's operator", decoder(attention({ domain: "com.example" }))],
])("a model with %s stays as it is", (_, model) => {
  expect(attendPieces(model)).toBeNull();
});

test("a run says where its tokens go and what they may see", () => {
  const inputs = new Map(pieceInputs({ kvHeads: 2, group: 2 }).map((input) => [input.name, input]));
  const of = (name: string, total: number, count: number) => {
    const input = inputs.get(name);
    return { numbers: Array.from(input?.values(total, new Int32Array(count)) ?? []), dims: input?.dims(total, count) };
  };
  expect(of(PIECE_INPUTS.isPiece, 5, 2)).toEqual({ numbers: [1], dims: [] });
  expect(of(PIECE_INPUTS.past, 5, 2)).toEqual({ numbers: [3], dims: [1] });
  expect(of(PIECE_INPUTS.places, 5, 2)).toEqual({ numbers: [0, 0, 3, 0, 0, 4, 0, 1, 3, 0, 1, 4], dims: [1, 2, 2, 3] });
  const [early, late] = [[0, 0, 0, 0, -Infinity], [0, 0, 0, 0, 0]];
  expect(of(PIECE_INPUTS.mask, 5, 2)).toEqual({ numbers: [...early, ...late, ...early, ...late], dims: [4, 5] });
  expect(of(PIECE_INPUTS.isPiece, 5, 1)).toEqual({ numbers: [0], dims: [] });
  expect(of(PIECE_INPUTS.mask, 5, 1)).toEqual({ numbers: [], dims: [0, 5] });
});
