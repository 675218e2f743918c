import { describe, expect, test } from "vitest";
import { parsePort } from "../../../cli/arguments.ts";
import { type CatalogValues, parseCatalog } from "../../../cli/catalog/commands.ts";

const NONE: CatalogValues = { variant: "default", "input-nanos": "0", "output-nanos": "0", draft: false };
const REVISION = "rev_0123456789abcdef01234567";
const parse = (words: string, values: Partial<CatalogValues> = {}) => parseCatalog(words.split(" ").filter(Boolean), { ...NONE, ...values });
const free = { input_nanos_per_token: 0, output_nanos_per_token: 0 };

describe("a command of the catalogue", () => {
  test.each<[string, Partial<CatalogValues>, object]>([
    ["models", {}, { kind: "models" }],
    ["revisions ocr", {}, { kind: "revisions", model: "ocr" }],
    ["rollback ocr", {}, { kind: "rollback", model: "ocr" }],
    ["grants ocr", {}, { kind: "grants", model: "ocr" }],
    ["grant ocr", { tenant: "acme" }, { kind: "grant", model: "ocr", tenant: "acme", body: {} }],
    ["grant ocr", { tenant: "acme", revision: REVISION, follow: false }, { kind: "grant", model: "ocr", tenant: "acme", body: { revision: REVISION, follow: false } }],
    ["revoke ocr", { tenant: "acme" }, { kind: "revoke", model: "ocr", tenant: "acme" }],
    ["publish ocr", { folder: "x", task: "ocr", "run-tokens": "12", draft: true }, { kind: "publish", model: "ocr", folder: "x", variant: "default", draft: true, about: { task: "ocr", usage: { measure: "per-run", tokens: 12 }, prices: free } }],
    ["publish chat", { folder: "x", task: "text-generation", licence: "mit", "input-nanos": "3" }, { kind: "publish", about: { usage: { measure: "text-tokens" }, licence: "mit", prices: { ...free, input_nanos_per_token: 3 } } }],
    ["import chat", { source: "hf:org/name", variants: "q4,q8" }, { kind: "import", model: "chat", body: { source: "hf:org/name", revision: "main", variants: ["q4", "q8"] } }],
    ["import chat", { source: "hf:org/name", variants: "fp32", revision: "v1", draft: true }, { kind: "import", body: { revision: "v1", variants: ["fp32"], stage: "draft" } }],
    [
      "derive mine", { tenant: "acme", base: `ocr@${REVISION}`, file: ["labels.json=/tmp/a=b.json"], tensor: ["onnx/model.onnx:head:w=/tmp/w.bin"] },
      { kind: "derive", tenant: "acme", derivation: { base: { model: "ocr", revision: REVISION }, files: [{ path: "labels.json=/tmp/a", source: "b.json" }], tensors: [{ path: "onnx/model.onnx", name: "head:w", source: "/tmp/w.bin" }], prices: free } },
    ],
  ])("%s %j", (words, values, command) => expect(parse(words, values)).toMatchObject(command));

  test.each<[string, Partial<CatalogValues>, RegExp]>([
    ["", {}, /Say what to do/],
    ["destroy ocr", {}, /no command "destroy"/],
    ["models ocr more", {}, /What is "more"/],
    ["revisions", {}, /the model's name/],
    ["revisions ../x", {}, /the model's name/],
    ["grant ocr", {}, /--tenant/],
    ["grant ocr", { tenant: "_catalog" }, /--tenant/],
    ["publish ocr", { task: "ocr" }, /--folder is missing/],
    ["publish ocr", { folder: "x" }, /--task is missing/],
    ["publish ocr", { folder: "x", task: "mining" }, /task/],
    ["publish ocr", { folder: "x", task: "ocr", "run-tokens": "1.5" }, /--run-tokens is a whole number/],
    ["publish ocr", { folder: "x", task: "ocr", "input-nanos": "-1" }, /--input-nanos is a whole number/],
    ["import chat", { variants: "q4" }, /--source is missing/],
    ["import chat", { source: "hf:org/name" }, /--variants is missing/],
    ["import chat", { source: "https://elsewhere/x", variants: "q4" }, /hf:<organisation>/],
    ["import chat", { source: "hf:org/name", variants: "q4,q4" }, /each build once/],
    ["import chat", { source: "hf:org/name", variants: "q5" }, /variants/],
    ["derive mine", { tenant: "acme", base: "ocr", file: ["a=b"] }, /--base is MODEL@rev/],
    ["derive mine", { tenant: "acme", base: `ocr@${REVISION}` }, /--file or --tensor is missing/],
    ["derive mine", { tenant: "acme", base: `ocr@${REVISION}`, file: ["a="] }, /--file is PATH=FILE/],
    ["derive mine", { tenant: "acme", base: `ocr@${REVISION}`, tensor: ["head=w.bin"] }, /--tensor is ONNX-PATH:NAME=FILE/],
  ])("%s %j is refused with what is wrong", (words, values, message) => expect(() => parse(words, values)).toThrow(message));
});

test("a port is a number that there is, or none", () => {
  expect([parsePort(undefined), parsePort("1"), parsePort("65535")]).toEqual([undefined, 1, 65_535]);
  for (const text of ["", "0", "65536", "80a", "-1", "1.5", "1e3"]) expect(() => parsePort(text), text).toThrow("--port must be a number");
});
