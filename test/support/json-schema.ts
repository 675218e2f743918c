/**
 * As much of JSON Schema 2020-12 as the API's document uses: what a value lacks against a schema, and values that fit one.
 * A keyword that is not known here is an error, so that nothing of the document goes unchecked.
 *
 * - Strict where the document leaves it open: a property that the schema does not name is a fault.
 */
import * as fc from "fast-check";

export interface Schema {
  readonly [keyword: string]: unknown;
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly propertyNames?: Schema;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

export type Schemas = Readonly<Record<string, Schema>>;

const ANNOTATIONS = new Set(["description", "example", "examples", "default", "title", "deprecated"]);
const KNOWN = new Set([
  ...ANNOTATIONS, "$ref", "type", "properties", "required", "additionalProperties", "propertyNames", "items", "enum", "const", "anyOf", "allOf",
  "pattern", "format", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
]);

const resolve = (schema: Schema, schemas: Schemas): Schema => {
  if (schema.$ref === undefined) return schema;
  const found = schemas[schema.$ref.replace("#/components/schemas/", "")];
  if (!found) throw new Error(`the document has no ${schema.$ref}`);
  return resolve(found, schemas);
};

const typesOf = (schema: Schema): readonly string[] => (schema.type === undefined ? [] : typeof schema.type === "string" ? [schema.type] : schema.type);

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** Every fault of `value`, with its path. */
export function faultsOf(value: unknown, given: Schema, schemas: Schemas, at = "$"): string[] {
  const schema = resolve(given, schemas);
  const strange = Object.keys(schema).filter((keyword) => !KNOWN.has(keyword));
  if (strange.length > 0) throw new Error(`the schema at ${at} has keywords that are not known here: ${strange.join(", ")}`);
  if (schema.anyOf) {
    const tried = schema.anyOf.map((option) => faultsOf(value, option, schemas, at));
    return tried.some((faults) => faults.length === 0) ? [] : (tried[0] as string[]);
  }
  const faults = (schema.allOf ?? []).flatMap((part) => faultsOf(value, part, schemas, at));
  const type = typeOf(value);
  const types = typesOf(schema);
  if (types.length > 0 && !types.includes(type) && !(type === "integer" && types.includes("number"))) return [...faults, `${at} is ${type}, not ${types.join(" or ")}`];
  if (schema.enum && !schema.enum.includes(value)) faults.push(`${at} is ${JSON.stringify(value)}, none of ${JSON.stringify(schema.enum)}`);
  if (schema.const !== undefined && schema.const !== value) faults.push(`${at} is not ${JSON.stringify(schema.const)}`);
  if (typeof value === "string") faults.push(...textFaults(value, schema, at));
  if (typeof value === "number" && (value < (schema.minimum ?? -Infinity) || value > (schema.maximum ?? Infinity))) faults.push(`${at} is out of range: ${value}`);
  if (Array.isArray(value)) {
    if (value.length < (schema.minItems ?? 0) || value.length > (schema.maxItems ?? Infinity)) faults.push(`${at} has ${value.length} items`);
    if (schema.items) faults.push(...value.flatMap((item, n) => faultsOf(item, schema.items as Schema, schemas, `${at}[${n}]`)));
  } else if (type === "object") {
    faults.push(...objectFaults(value as Record<string, unknown>, schema, schemas, at));
  }
  return faults;
}

function textFaults(value: string, schema: Schema, at: string): string[] {
  const faults: string[] = [];
  if (schema.pattern !== undefined && !new RegExp(schema.pattern, "u").test(value)) faults.push(`${at} does not match ${schema.pattern}: ${value}`);
  if (value.length < (schema.minLength ?? 0) || value.length > (schema.maxLength ?? Infinity)) faults.push(`${at} has ${value.length} characters`);
  if (schema.format === "date-time" && !DATE_TIME.test(value)) faults.push(`${at} is no date-time: ${value}`);
  return faults;
}

function objectFaults(value: Record<string, unknown>, schema: Schema, schemas: Schemas, at: string): string[] {
  const properties = schema.properties ?? {};
  const missing = (schema.required ?? []).filter((name) => !Object.hasOwn(value, name)).map((name) => `${at}.${name} is missing`);
  const { additionalProperties } = schema;
  const rest = Object.entries(value).filter(([name]) => !Object.hasOwn(properties, name));
  const isOpen = additionalProperties === true || (typeof additionalProperties === "object" && Object.keys(additionalProperties).length === 0) || (additionalProperties === undefined && schema.properties === undefined);
  return [
    ...missing,
    ...Object.entries(properties).flatMap(([name, property]) => (Object.hasOwn(value, name) ? faultsOf(value[name], property, schemas, `${at}.${name}`) : [])),
    ...(isOpen ? [] : rest.flatMap(([name, item]) => (typeof additionalProperties === "object" ? faultsOf(item, additionalProperties, schemas, `${at}.${name}`) : [`${at}.${name} is not documented`]))),
  ];
}

/** Values that fit the schema, or nearly: cross-field rules are not in it. */
export function valuesOf(given: Schema, schemas: Schemas): fc.Arbitrary<unknown> {
  const schema = resolve(given, schemas);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((option) => valuesOf(option, schemas)));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.const !== undefined) return fc.constant(schema.const);
  const types = typesOf(schema);
  if (types.length === 0) return fc.jsonValue();
  return fc.oneof(...types.map((type) => typedValues(type, schema, schemas)));
}

function typedValues(type: string, schema: Schema, schemas: Schemas): fc.Arbitrary<unknown> {
  switch (type) {
    case "null":
      return fc.constant(null);
    case "boolean":
      return fc.boolean();
    case "integer":
    case "number": {
      const [min, max] = [schema.minimum ?? 0, schema.maximum ?? Number.MAX_SAFE_INTEGER];
      return fc.oneof({ weight: 4, arbitrary: fc.integer({ min, max: Math.min(max, min + 1000) }) }, { weight: 1, arbitrary: fc.maxSafeInteger().map((n) => Math.min(max, Math.max(min, n))) });
    }
    case "array":
      return fc.array(schema.items ? valuesOf(schema.items, schemas) : fc.jsonValue(), { minLength: schema.minItems ?? 0, maxLength: Math.min(schema.maxItems ?? 3, 3) });
    case "object":
      return objects(schema, schemas);
    default:
      return texts(schema);
  }
}

function objects(schema: Schema, schemas: Schemas): fc.Arbitrary<unknown> {
  const properties = schema.properties ?? {};
  const named = fc.record(Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, valuesOf(property, schemas)])), { requiredKeys: [...(schema.required ?? [])] });
  if (typeof schema.additionalProperties !== "object") return named;
  const names = schema.propertyNames ? texts(schema.propertyNames) : fc.stringMatching(/^[a-z]{1,8}$/);
  return fc.tuple(named, fc.dictionary(names as fc.Arbitrary<string>, valuesOf(schema.additionalProperties, schemas), { maxKeys: 4 })).map(([a, b]) => ({ ...b, ...a }));
}

function texts(schema: Schema): fc.Arbitrary<unknown> {
  const examples = schema.example === undefined ? [] : [fc.constant(schema.example)];
  if (schema.format === "date-time") return fc.date({ min: new Date("2020-01-01"), max: new Date("2030-01-01"), noInvalidDate: true }).map((date) => date.toISOString());
  if (schema.format === "email") return fc.emailAddress();
  const free = fc.string({ minLength: schema.minLength ?? 0, maxLength: Math.min(schema.maxLength ?? 20, (schema.minLength ?? 0) + 20) });
  // stringMatching knows no Unicode classes; of those patterns the plain texts will do.
  const fitting = schema.pattern === undefined || schema.pattern.includes("\\p") || schema.pattern.includes("\\P") ? free : fc.stringMatching(new RegExp(schema.pattern));
  return fc.oneof(...examples, fitting);
}
