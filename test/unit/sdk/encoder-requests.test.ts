import { expect, it } from "vitest";
import { classify, embed, embedImages, runTask, tag } from "../../../client/sdk/text/encoder-calls.ts";
import type { Parts } from "../../../client/sdk/text/hold.ts";
import { callFault } from "../../../client/runtime/tasks/raw/tensors.ts";

/** What is refused needs no page: nothing of it is looked at. */
const NOWHERE = {} as Parts;

it.each<[string, () => Promise<unknown>]>([
  ["no texts", () => embed(NOWHERE, { model: "m", input: [] }, {})],
  ["tokens for texts", () => embed(NOWHERE, { model: "m", input: [1, 2] as never }, {})],
  ["no dimensions", () => embed(NOWHERE, { model: "m", input: "a", dimensions: 0 }, {})],
  ["dimensions below none", () => embed(NOWHERE, { model: "m", input: "a", dimensions: -1 }, {})],
  ["a form of numbers that there isn't", () => embed(NOWHERE, { model: "m", input: "a", encoding_format: "int8" as never }, {})],
  ["a way to put tokens together that there isn't", () => tag(NOWHERE, { model: "m", input: "a", aggregation: "max" as never }, {})],
  ["what is neither text nor picture", () => classify(NOWHERE, { model: "m", input: ["a", 5 as never] }, {})],
  ["texts and pictures together", () => classify(NOWHERE, { model: "m", input: ["a", new Blob()] }, {})],
  ["labels that are no list", () => classify(NOWHERE, { model: "m", input: "a", labels: "sport" as never }, {})],
  ["a text that is null", () => tag(NOWHERE, { model: "m", input: null as never }, {})],
  ["a task without a name", () => runTask(NOWHERE, { model: "m", task: 5 as never, input: {} as never }, {})],
  ["tensors as a task's input", () => runTask(NOWHERE, { model: "m", task: "raw", input: { inputs: {} } }, {})],
  ["a text for a picture", () => embedImages(NOWHERE, { model: "m", input: "a" as never }, {})],
])("refuses %s", async (_, ask) => {
  await expect(ask()).rejects.toMatchObject({ code: "invalid-request" });
});

it.each([
  ["inputs that are none", undefined, "its inputs are no tensors by name"],
  ["an input that is none", { x: null }, "x is no tensor"],
  ["a type that there isn't", { x: { type: "complex64", dims: [1], data: new Float32Array(2) } }, "x is of the type complex64, which no tensor has"],
  ["a text among numbers", { x: { type: "string", dims: [2], data: ["a", 1] } }, "the data of x is not what string takes"],
  ["elements of another width", { x: { type: "float64", dims: [1], data: new Float32Array(1) } }, "the data of x is not what float64 takes"],
  ["dims that are no list", { x: { type: "float32", dims: 1, data: new Float32Array(1) } }, "the dims of x are no sizes"],
])("a raw run says what is wrong with %s", (_, inputs, fault) => {
  expect(callFault({ inputs: inputs as never }, ["x"], ["y"])).toBe(fault);
});
