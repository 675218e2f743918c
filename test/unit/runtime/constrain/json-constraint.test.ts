import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { Constraint } from "../../../../client/runtime/constrain/constraint.ts";
import { ANY_OBJECT, jsonRule } from "../../../../client/runtime/constrain/json-rules.ts";
import { readSchema } from "../../../../client/runtime/constrain/schema.ts";
import { FORMATS } from "../../../../client/runtime/constrain/patterns/formats.ts";
import { Vocabulary } from "../../../../client/runtime/constrain/vocabulary.ts";
import { ScoreRoom } from "../../../../client/runtime/kernels/scores.ts";
import { seededRandom } from "../../../../client/runtime/sampling/random.ts";
import { GREEDY, Sampler } from "../../../../client/runtime/sampling/sampler.ts";
import { Tokenizer } from "../../../../client/runtime/tokenizer/tokenizer.ts";
import { byteLevelTokenizer } from "../../../support/small-tokenizers.ts";

const END = 0;
const { file, config } = byteLevelTokenizer(['{"', '":', '": ', '",', ', "', '"}', '"]', "true", "false", "null", "-1", "0.5", "12", "99", " the", '\\"', "\\u00", "世", "👩"]);
const vocabulary = new Vocabulary(new Tokenizer(file, config, null).bytes.bytes);
const even = new Float32Array(vocabulary.size); // a "model" that likes every token the same

/** What the model that likes everything writes under the schema; null where it didn't come to an end. */
function write(rule: ReturnType<typeof jsonRule>, seed: number, most = 4000): string | null {
  const sampler = new Sampler({ ...GREEDY, temperature: 1 }, seededRandom(seed), [], new ScoreRoom());
  const text = new Constraint(rule, vocabulary, [END]).begin();
  const bytes: number[] = [];
  for (let count = 0; count < most; count++) {
    const token = sampler.next(even, text.mask());
    if (token === END || text.isOver) return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
    text.accept(token);
    bytes.push(...(vocabulary.spelling(token) ?? []));
  }
  return null;
}

const name = fc.constantFrom("id", "name", "a b", "größe", 'q"uote', "世界", "x", "items", "type");
const leaf = fc.oneof(
  fc.constant({ type: "boolean" }),
  fc.constant({ type: "null" }),
  fc.record({ type: fc.constant("string"), minLength: fc.nat(3), maxLength: fc.integer({ min: 3, max: 8 }) }, { requiredKeys: ["type"] }),
  fc.record({ type: fc.constant("integer"), minimum: fc.integer({ min: -500, max: 3 }), maximum: fc.integer({ min: 4, max: 99_999 }) }, { requiredKeys: ["type"] }),
  fc.record({ type: fc.constant("number"), exclusiveMinimum: fc.double({ min: -9, max: 0, noNaN: true }).map((x) => Math.round(x * 100) / 100), exclusiveMaximum: fc.constantFrom(0.5, 3.25, 1e6) }, { requiredKeys: ["type"] }),
  fc.record({ type: fc.constant("integer"), multipleOf: fc.constantFrom(2, 7, 50, 0.5) }),
  fc.record({ enum: fc.uniqueArray(fc.oneof(name, fc.integer(), fc.boolean(), fc.constant(null), fc.constant([1, "2"])), { minLength: 1, maxLength: 4, selector: (value) => JSON.stringify(value) }) }),
  fc.record({ const: fc.oneof(name, fc.constant({ deep: [1] })) }),
  fc.constant({ type: ["string", "null"], maxLength: 4 }),
  fc.record({ type: fc.constant("string"), format: fc.constantFrom(...Object.keys(FORMATS)) }),
  fc.record({ type: fc.constant("string"), pattern: fc.constantFrom("^[a-z]{2,5}$", "^(?!a)(?:[ab]|世)+$", "\\d-\\d", "^[^\\n\"]*$", "^(?:(?!--)[a-z-]){1,9}$", "[\\u0000-\\u001f]$"), minLength: fc.nat(3), maxLength: fc.integer({ min: 6, max: 40 }) }, { requiredKeys: ["type", "pattern"] }),
  fc.record({ type: fc.constant("object"), propertyNames: fc.constantFrom({ pattern: "^x-[a-z]+$" }, { enum: ["a", "größe"] }, { maxLength: 2 }), additionalProperties: fc.constantFrom({ type: "boolean" }, { type: "string", format: "date" }) }),
);
const { schema } = fc.letrec<{ schema: object; node: object }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    fc.record({ type: fc.constant("array"), items: tie("node"), minItems: fc.nat(2), maxItems: fc.integer({ min: 2, max: 4 }) }, { requiredKeys: ["type", "items", "maxItems"] }),
    fc.record({ type: fc.constant("array"), prefixItems: fc.array(tie("node"), { minLength: 1, maxLength: 2 }), items: fc.constant(false), minItems: fc.nat(1) }, { requiredKeys: ["type", "prefixItems", "items"] }),
    fc.record({ anyOf: fc.array(tie("node"), { minLength: 1, maxLength: 3 }) }),
    fc
      .tuple(fc.uniqueArray(fc.tuple(name, tie("node"), fc.boolean()), { maxLength: 4, selector: ([key]) => key }), fc.oneof(fc.constant(undefined), fc.constant(false), leaf))
      .filter(([entries, rest]) => entries.length > 0 || rest !== undefined)
      .map(([entries, rest]) => ({
        type: "object",
        properties: Object.fromEntries(entries.map(([key, value]) => [key, value])),
        required: entries.filter(([, , isRequired]) => isRequired).map(([key]) => key),
        ...(rest !== undefined && { additionalProperties: rest }),
      })),
  ),
  schema: tie("node"),
}));

const ajv = addFormats.default(new Ajv2020({ strict: false, ownProperties: true }), { mode: "full" });
for (const [format, as] of [["idn-email", "email"], ["idn-hostname", "hostname"], ["iri", "uri"], ["iri-reference", "uri-reference"]] as const) ajv.addFormat(format, ajv.formats[as] ?? false);
ajv.addFormat("jwt", /^[\w-]+\.[\w-]+\.[\w-]*$/);

describe("an answer held to a JSON schema", { timeout: 30_000 }, () => {
  it("parses and validates, for any schema, from a model that likes all tokens the same", { timeout: 60_000 }, () => {
    let whole = 0;
    fc.assert(
      fc.property(schema, fc.nat(1_000_000), (given, seed) => {
        const text = write(jsonRule(readSchema(given)), seed, 1500);
        if (text === null) return;
        whole++;
        const value: unknown = JSON.parse(text);
        expect(ajv.validate(given, value), `${text} ${ajv.errorsText()}`).toBe(true);
      }),
      { numRuns: 300 },
    );
    expect(whole).toBeGreaterThan(200);
  });

  it.each(Object.keys(FORMATS))("is of the format %s, also with lengths", (format) => {
    for (const lengths of [{}, { minLength: 8 }, { maxLength: 60 }]) {
      const given = { type: "string", format, ...lengths };
      const rule = jsonRule(readSchema(given));
      for (let seed = 0; seed < 10; seed++) {
        const text = write(rule, seed);
        expect(text === null || ajv.validate(given, JSON.parse(text)), `${text} ${ajv.errorsText()}`).toBe(true);
      }
    }
  });

  it.each<[string, z.ZodType]>(Object.entries({
    email: z.email(), "email of a length": z.email().min(8).max(20), html5Email: z.email({ pattern: z.regexes.html5Email }), rfc5322Email: z.email({ pattern: z.regexes.rfc5322Email }), unicodeEmail: z.email({ pattern: z.regexes.unicodeEmail }),
    uuid: z.uuid(), uuidv4: z.uuidv4(), guid: z.guid(), url: z.url(), datetime: z.iso.datetime(), offset: z.iso.datetime({ offset: true }), local: z.iso.datetime({ local: true, precision: 3 }),
    date: z.iso.date(), time: z.iso.time(), duration: z.iso.duration(), ipv4: z.ipv4(), ipv6: z.ipv6(), cidrv4: z.cidrv4(), cidrv6: z.cidrv6(), mac: z.mac(), hostname: z.hostname(), domain: z.string().regex(z.regexes.domain),
    cuid: z.cuid(), cuid2: z.cuid2(), ulid: z.ulid(), xid: z.xid(), ksuid: z.ksuid(), nanoid: z.nanoid(), base64: z.base64(), base64url: z.base64url(), jwt: z.jwt(), e164: z.e164(), emoji: z.emoji(), hex: z.hex(), sha256: z.hash("sha256"),
    several: z.string().regex(/^a/).regex(/b$/).min(4).max(9), parts: z.string().startsWith("a.b").endsWith("/c").includes("x?").max(12), lowercase: z.string().lowercase(), uppercase: z.string().uppercase(), template: z.templateLiteral(["id-", z.number(), "-", z.enum(["a", "b"])]),
    record: z.record(z.string(), z.number()), "record of names": z.record(z.enum(["a", "b"]), z.boolean()), "record of a pattern": z.record(z.string().regex(/^x-/), z.boolean()),
    object: z.object({ mail: z.email().optional(), when: z.iso.date(), tags: z.array(z.string().regex(/^[a-z]+$/)).max(3) }),
  }))("is what zod's schema for it says: %s", (_, type) => {
    const rule = jsonRule(readSchema(z.toJSONSchema(type)));
    let whole = 0;
    for (let seed = 0; seed < 12; seed++) {
      const text = write(rule, seed, 1500);
      if (text === null) continue;
      whole++;
      expect(type.safeParse(JSON.parse(text)).error?.message, text).toBeUndefined();
    }
    expect(whole).toBeGreaterThan(3);
  });

  it("parses, for any JSON object", () => {
    for (let seed = 0; seed < 40; seed++) {
      const text = write(jsonRule(ANY_OBJECT), seed, 1500);
      if (text !== null) expect(JSON.parse(text)).toBeTypeOf("object");
    }
  });

  it("follows references, recursive ones too", () => {
    const tree = { $ref: "#/$defs/node", $defs: { node: { type: "object", properties: { value: { type: "integer" }, next: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] } }, required: ["value", "next"], additionalProperties: false } } };
    const rule = jsonRule(readSchema(tree));
    for (let seed = 0; seed < 20; seed++) {
      const text = write(rule, seed);
      expect(text === null || ajv.validate(tree, JSON.parse(text)), text ?? "").toBe(true);
    }
  });

  it("never begins what could not end", () => {
    const lists = { $ref: "#/$defs/list", $defs: { list: { type: "array", items: { $ref: "#/$defs/trap" } }, trap: { type: "object", properties: { again: { $ref: "#/$defs/trap" } }, required: ["again"] } } };
    expect(write(jsonRule(readSchema(lists)), 1)).toBe("[]");
  });

  it("writes properties in the schema's order, and none but those named", () => {
    const text = write(jsonRule(readSchema({ type: "object", properties: { b: { const: 1 }, a: { const: 2 } }, required: ["a", "b"] })), 3);
    expect(JSON.parse(text ?? "")).toEqual({ b: 1, a: 2 });
    expect(text?.replaceAll(" ", "")).toBe('{"b":1,"a":2}');
  });
});

it("other names are any but those that are named, whatever these look like", () => {
  for (const name of ["-", "--", "é", "世界", "a b"]) {
    const constraint = new Constraint(jsonRule(readSchema({ type: "object", properties: { [name]: { type: "integer" } }, additionalProperties: { type: "boolean" } })), vocabulary, [END]);
    const fits = (text: string) => constraint.begin().take(new TextEncoder().encode(text));
    for (let round = 0; round < 2; round++) {
      for (const other of ["", "-x", "--x", "ab", "é!", "世", `${name}${name}${name}`, "x".repeat(40)]) expect(fits(`{"${other}":true,"${other}":true}`), `${other} beside ${name}`).toBe(true);
      expect(fits(`{"${name}":1,"ab":true}`)).toBe(true);
      for (const wrong of [`{"${name}":true}`, `{"ab":true,"${name}":true}`, `{"ab":true,"${name}":1}`]) expect(fits(wrong), wrong).toBe(false);
    }
  }
});

describe("a schema that can't be kept", () => {
  it.each<[string, unknown]>([
    ["a keyword that is not known", { type: "array", contains: {} }],
    ["a pattern that looks back", { type: "string", pattern: "(?<=a)b" }],
    ["a pattern that is none", { type: "string", pattern: "(" }],
    ["a pattern that nothing matches", { type: "string", pattern: "^a$(?=b)" }],
    ["a pattern and a length that don't go together", { type: "string", pattern: "^(?:ab)+$", minLength: 3, maxLength: 3 }],
    ["a pattern and a format that don't go together", { type: "string", pattern: "^x", format: "date" }],
    ["more patterns than are taken together", { type: "object", properties: Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`p${at}`, { type: "string", pattern: `^(a|b)*a(a|b){12}c{12}x{${at}}$` }])) }],
    ["a required name that is not among the names", { type: "object", required: ["b"], propertyNames: { enum: ["a"] } }],
    ["names of another kind", { type: "object", propertyNames: { not: {} } }],
    ["the same deep inside", { type: "object", properties: { a: { type: "array", items: { not: {} } } } }],
    ["a keyword of another type", { type: "string", minimum: 1 }],
    ["an unknown type", { type: "date" }],
    ["a reference outside", { $ref: "https://example.com/schema" }],
    ["a reference that is not encoded", { $ref: "#/$defs/100%" }],
    ["a reference to nothing", { $ref: "#/$defs/none" }],
    ["one that requires itself", { $ref: "#/$defs/a", $defs: { a: { type: "object", properties: { a: { $ref: "#/$defs/a" } }, required: ["a"] } } }],
    ["bounds without a number between", { type: "integer", minimum: 3, exclusiveMaximum: 4, multipleOf: 2 }],
    ["lengths that cross", { type: "string", minLength: 4, maxLength: 3 }],
    ["oneOf that may overlap", { oneOf: [{ type: "object", properties: {} }, { type: "object", properties: {} }] }],
    ["two that must both hold", { allOf: [{ type: "object" }, { required: ["a"] }] }],
    ["no schema at all", "string"],
    ["one that is deeper than a stack", Array.from({ length: 1500 }).reduce<object>((items) => ({ type: "array", items }), {})],
  ])("is refused before anything is generated: %s", { timeout: 60_000 }, (_, given) => {
    expect(() => jsonRule(readSchema(given))).toThrow(expect.objectContaining({ code: "schema-unsupported" }));
  });
});

describe("the masks", () => {
  it.each<[string, unknown, string]>([
    ["a text", { type: "string" }, '"'],
    ["a name other than a long one", { type: "object", properties: { a_name_of_some_length: {} }, additionalProperties: true }, '{"w'],
  ])("are fast enough for a real vocabulary: %s", (_, given, begun) => {
    const spellings = Array.from({ length: 50_000 }, (_, id) => new TextEncoder().encode(` w${id.toString(36)}${"abcdefgh".slice(id % 8)}`));
    spellings.push(...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)));
    const constraint = new Constraint(jsonRule(readSchema(given)), new Vocabulary(spellings), []);
    const text = constraint.begin();
    text.take(new TextEncoder().encode(begun));
    const began = performance.now();
    text.mask();
    expect(performance.now() - began).toBeLessThan(250);
    const again = performance.now();
    for (let i = 0; i < 100; i++) text.mask();
    expect(performance.now() - again).toBeLessThan(50);
  });
});

it("numbers that no bound can stop any more share their masks", () => {
  const constraint = new Constraint(jsonRule(readSchema({ type: "array", items: { type: "number", minimum: 50 } })), vocabulary, [END]);
  const maskAfter = (text: string) => {
    const begun = constraint.begin();
    expect(begun.take(new TextEncoder().encode(text)), text).toBe(true);
    return begun.mask();
  };
  expect(maskAfter("[73")).toBe(maskAfter("[50"));
  expect(maskAfter("[1234.05")).toBe(maskAfter("[60, 9999.80"));
  expect(maskAfter("[49")).not.toBe(maskAfter("[50")); // 49 is no end
  expect(maskAfter("[50.1")).not.toBe(maskAfter("[50.12"));
});

it("a long text of a pattern and a length takes no more memory the longer it is", { timeout: 60_000 }, () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const inUse = () => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return (heapUsed + arrayBuffers) / 2 ** 20;
  };
  const constraint = new Constraint(jsonRule(readSchema({ type: "string", pattern: "^[^\\n]*$", maxLength: 1000 })), vocabulary, [END]);
  const text = constraint.begin();
  const letter = vocabularyOf("x");
  text.accept(vocabularyOf('"'));
  const before = inUse();
  for (let count = 0; count < 800; count++) {
    text.mask();
    text.accept(letter);
  }
  expect(inUse() - before).toBeLessThan(60); // 120, if nothing were forgotten
  for (let count = 0; count < 200; count++) text.accept(letter);
  expect(text.take(new TextEncoder().encode('"')) && text.isOver).toBe(true);
  const another = constraint.begin(); // the same machine, from its beginning
  expect(another.take(new TextEncoder().encode(`"${"x".repeat(1001)}`))).toBe(false);
});

const vocabularyOf = (letter: string) => Array.from({ length: vocabulary.size }, (_, token) => token).find((token) => new TextDecoder().decode(vocabulary.spelling(token) ?? new Uint8Array()) === letter) as number;
