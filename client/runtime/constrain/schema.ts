/**
 * A JSON schema, read into what the rules are made of. Pure.
 *
 * - What can't be kept is refused before anything is generated: `schema-unsupported`, with the keyword and its place.
 *   So is a schema that nothing satisfies.
 * - Keywords that only describe are skipped, and a `format` that JSON Schema doesn't name.
 * - A schema without a type is what its keywords are about; without keywords, any JSON.
 * - An object gets only properties that are named, in the schema's order, unless `additionalProperties` is there or
 *   no property is named.
 */
import { LeaseholdError } from "../../errors.ts";
import { isSatisfiable, type NumberLimits } from "./json-number.ts";
import { readNumber } from "./schema-number.ts";
import { isFitting, isKnownFormat, readString, STRING_KEYWORDS, stringSchemas, type StringShape } from "./schema-string.ts";

export type Shape =
  | { readonly kind: "any" }
  | { readonly kind: "literals"; readonly texts: readonly string[] }
  | StringShape
  | { readonly kind: "number"; readonly limits: NumberLimits }
  | { readonly kind: "object"; readonly properties: readonly Property[]; readonly others: Others | null }
  | { readonly kind: "array"; readonly first: readonly Shape[]; readonly rest: Shape | null; readonly min: number; readonly max: number }
  | { readonly kind: "union"; readonly options: readonly Shape[] }
  | { readonly kind: "reference"; readonly to: () => Shape };

export interface Property {
  readonly name: string;
  readonly isRequired: boolean;
  readonly shape: Shape;
}

/** Properties that are not named. */
export interface Others {
  readonly names: StringShape;
  readonly shape: Shape;
}

type Schema = Readonly<Record<string, unknown>>;

const DESCRIBES = new Set(["title", "description", "default", "examples", "example", "$schema", "$id", "id", "$comment", "$anchor", "$defs", "definitions", "deprecated", "readOnly", "writeOnly", "format", "contentEncoding", "contentMediaType", "strict"]);
const OF_TYPE: Readonly<Record<string, readonly string[]>> = {
  object: ["properties", "required", "additionalProperties", "propertyNames"],
  array: ["items", "prefixItems", "minItems", "maxItems", "additionalItems", "uniqueItems"],
  string: STRING_KEYWORDS,
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  integer: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  boolean: [],
  null: [],
};
const isDescribing = (keyword: string): boolean => DESCRIBES.has(keyword);
const TYPES = Object.keys(OF_TYPE);
const COMBINERS = ["$ref", "enum", "const", "anyOf", "oneOf", "allOf"];
const KNOWN = new Set([...DESCRIBES, ...COMBINERS, "type", ...Object.values(OF_TYPE).flat()]);

/** Of all patterns together: some seconds. One of them may take a quarter of it. */
const MOST_PATTERN_WORK = 2_000_000;
const MOST_DEEP = 200; // schemas within each other: whoever reads one calls itself

export function readSchema(root: unknown): Shape {
  return new Reader(root).read(root, "#");
}

class Reader {
  readonly #root: unknown;
  readonly #references = new Map<string, { shape: Shape | null }>();
  #patternWork = 0;
  #depth = 0;

  constructor(root: unknown) {
    this.#root = root;
  }

  read(schema: unknown, at: string): Shape {
    if (this.#depth++ === MOST_DEEP) throw unsupported(`${at.slice(0, 60)}…`, `there are more than ${MOST_DEEP} schemas within each other`);
    const shape = this.#readOne(schema, at);
    this.#depth--;
    return shape;
  }

  #readOne(schema: unknown, at: string): Shape {
    if (schema === true) return { kind: "any" };
    if (schema === false) throw unsupported(at, "nothing satisfies the schema false");
    if (!isObject(schema)) throw unsupported(at, "a schema is an object, true or false");
    for (const keyword of Object.keys(schema)) if (!KNOWN.has(keyword)) throw unsupported(at, `the keyword "${keyword}" is not supported`);
    const combiners = COMBINERS.filter((keyword) => schema[keyword] !== undefined);
    if (combiners.length > 1) throw unsupported(at, `${combiners.join(" beside ")} is not supported`);
    const [combiner] = combiners;
    const strings = combiner === "allOf" && schema["type"] === "string" ? stringSchemas(schema, isDescribing) : null;
    if (strings) return this.#string(strings, at);
    if (combiner === undefined) return this.#typed(schema, at);
    const others = Object.keys(schema).filter((keyword) => keyword !== combiner && !DESCRIBES.has(keyword) && !(keyword === "type" && combiner !== "$ref" && combiner !== "allOf"));
    if (others.length > 0) throw unsupported(at, `"${others[0]}" beside "${combiner}" is not supported`);
    const value = schema[combiner];
    switch (combiner) {
      case "$ref":
        return this.#reference(value, at);
      case "const":
        return literals([value], schema["type"], at);
      case "enum":
        if (!Array.isArray(value) || value.length === 0) throw unsupported(at, '"enum" is a list of values');
        return literals(value, schema["type"], at);
      default:
        return this.#combined(combiner, value, schema["type"], at);
    }
  }

  #combined(combiner: string, value: unknown, type: unknown, at: string): Shape {
    if (!Array.isArray(value) || value.length === 0) throw unsupported(at, `"${combiner}" is a list of schemas`);
    if (combiner === "allOf" && value.length > 1) throw unsupported(at, '"allOf" of several schemas is not supported');
    const options = value.map((option: unknown, index) => {
      const own = isObject(option) && type !== undefined && option["type"] === undefined ? { ...option, type } : option;
      return this.read(own, `${at}/${combiner}/${index}`);
    });
    if (combiner === "oneOf" && value.length > 1 && !areApart(value)) throw unsupported(at, '"oneOf" is supported for options of different types, or objects told apart by a constant property; use "anyOf"');
    return options.length === 1 && options[0] ? options[0] : { kind: "union", options };
  }

  #typed(schema: Schema, at: string): Shape {
    const types = typesOf(schema, at);
    for (const keyword of Object.keys(schema)) {
      if (DESCRIBES.has(keyword) || keyword === "type" || types.length === 0) continue;
      if (!types.some((type) => OF_TYPE[type]?.includes(keyword))) throw unsupported(at, `"${keyword}" says nothing about the type ${types.join(", ")}`);
    }
    if (types.length === 0) return { kind: "any" };
    const options = types.map((type) => this.#ofType(type, schema, at));
    return options.length === 1 && options[0] ? options[0] : { kind: "union", options };
  }

  #ofType(type: string, schema: Schema, at: string): Shape {
    switch (type) {
      case "string":
        return this.#string([schema], at);
      case "integer":
      case "number": {
        const limits = readNumber(schema, type === "integer", (why) => unsupported(at, why));
        if (!isSatisfiable(limits)) throw unsupported(at, "no number satisfies its bounds");
        return { kind: "number", limits };
      }
      case "boolean":
        return { kind: "literals", texts: ["true", "false"] };
      case "null":
        return { kind: "literals", texts: ["null"] };
      case "array":
        return this.#array(schema, at);
      default:
        return this.#object(schema, at);
    }
  }

  #string(schemas: readonly Schema[], at: string): Shape {
    const shape = this.#strings(schemas, (why) => unsupported(at, why));
    if (!shape) throw unsupported(at, "no text satisfies its lengths, pattern and format");
    return shape;
  }

  #strings(schemas: readonly Schema[], refuse: (why: string) => LeaseholdError, except?: readonly string[]): StringShape | null {
    const shape = readString(schemas, refuse, except);
    if (shape?.kind === "matching") this.#patternWork += shape.machine.work;
    if (this.#patternWork > MOST_PATTERN_WORK) throw refuse("the schema's patterns together need more than is kept here");
    return shape;
  }

  #array(schema: Schema, at: string): Shape {
    if (schema["uniqueItems"] === true) throw unsupported(at, '"uniqueItems" is not supported');
    const isOldTuple = Array.isArray(schema["items"]);
    const firsts = isOldTuple ? schema["items"] : (schema["prefixItems"] ?? []);
    const rest = isOldTuple ? schema["additionalItems"] : schema["items"];
    if (!Array.isArray(firsts)) throw unsupported(at, '"prefixItems" is a list of schemas');
    const first = firsts.map((item: unknown, index) => this.read(item, `${at}/prefixItems/${index}`));
    const min = count(schema, "minItems", 0, at);
    const max = Math.min(count(schema, "maxItems", Infinity, at), rest === false ? first.length : Infinity);
    if (min > max) throw unsupported(at, "nothing satisfies its numbers of items");
    return { kind: "array", first, rest: rest === false ? null : this.read(rest ?? true, `${at}/items`), min, max };
  }

  #object(schema: Schema, at: string): Shape {
    const named = schema["properties"] ?? {};
    const required = schema["required"] ?? [];
    if (!isObject(named)) throw unsupported(at, '"properties" is an object of schemas');
    if (!Array.isArray(required) || !required.every((name) => typeof name === "string")) throw unsupported(at, '"required" is a list of names');
    const others = schema["additionalProperties"];
    const properties: Property[] = Object.entries(named).map(([name, value]) => ({ name, isRequired: required.includes(name), shape: this.read(value, `${at}/properties/${name}`) }));
    const restSchema = others ?? properties.length === 0;
    const rest = restSchema === false ? null : this.read(restSchema, `${at}/additionalProperties`);
    for (const name of new Set<string>(required)) {
      if (properties.some((property) => property.name === name)) continue;
      if (others === false) throw unsupported(at, `it requires "${name}" and allows no such property`);
      properties.push({ name, isRequired: true, shape: rest ?? { kind: "any" } });
    }
    return this.#named(properties, rest, schema["propertyNames"], at);
  }

  /** With the names that properties may have. */
  #named(properties: readonly Property[], rest: Shape | null, names: unknown, at: string): Shape {
    const here = `${at}/propertyNames`;
    const refuse = (why: string) => unsupported(here, why);
    const schema = names ?? true;
    const listed = isObject(schema) ? (schema["enum"] ?? (schema["const"] === undefined ? undefined : [schema["const"]])) : undefined;
    const schemas = schema === true ? [{}] : stringSchemas(schema, isDescribing);
    const isListed = Array.isArray(listed);
    if (!isListed && !schemas) throw refuse("other than lengths, a pattern, or a list of names is not supported");
    const any = isListed ? null : this.#strings(schemas ?? [], refuse);
    const isAllowed = ({ name }: Property) => (isListed ? listed.includes(name) : any !== null && isFitting(any, name));
    const missing = properties.find((property) => property.isRequired && !isAllowed(property));
    if (missing) throw refuse(`it allows no "${missing.name}", which is required`);
    const allowed = properties.filter(isAllowed);
    if (!isListed) {
      const free = rest && this.#strings(schemas ?? [], refuse, properties.map(({ name }) => name));
      return { kind: "object", properties: allowed, others: rest && free ? { names: free, shape: rest } : null };
    }
    const others = rest ? listed.filter((name): name is string => typeof name === "string" && !properties.some((property) => property.name === name)) : [];
    return { kind: "object", properties: [...allowed, ...others.map((name) => ({ name, isRequired: false, shape: rest ?? { kind: "any" as const } }))], others: null };
  }

  #reference(value: unknown, at: string): Shape {
    if (typeof value !== "string" || !(value === "#" || value.startsWith("#/"))) throw unsupported(at, '"$ref" is supported within the schema only ("#/$defs/…")');
    let known = this.#references.get(value);
    if (!known) {
      known = { shape: null };
      this.#references.set(value, known);
      known.shape = this.read(this.#resolve(value, at), value);
    }
    const target = known;
    const to = () => {
      if (!target.shape) throw new Error("a reference is followed once the schema is read");
      return target.shape;
    };
    return { kind: "reference", to };
  }

  #resolve(pointer: string, at: string): unknown {
    let found: unknown = this.#root;
    for (const part of pointer.split("/").slice(1)) {
      const name = decoded(part, at).replaceAll("~1", "/").replaceAll("~0", "~");
      found = (isObject(found) || Array.isArray(found)) && Object.hasOwn(found, name) ? (found as Schema)[name] : undefined;
    }
    if (found === undefined) throw unsupported(at, `there is no ${pointer}`);
    return found;
  }
}

function decoded(part: string, at: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw unsupported(at, `"${part}" in a "$ref" is not percent-encoded as it should be`);
  }
}

function typesOf(schema: Schema, at: string): readonly string[] {
  const { type } = schema;
  if (type === undefined) {
    const keywords = Object.keys(schema);
    return ["object", "array", "string", "number"].filter((name) => keywords.some((keyword) => OF_TYPE[name]?.includes(keyword)) || (name === "string" && isKnownFormat(schema["format"])));
  }
  const types: readonly unknown[] = Array.isArray(type) ? type : [type];
  for (const name of types) if (typeof name !== "string" || !TYPES.includes(name)) throw unsupported(at, `the type ${JSON.stringify(name)} is not known`);
  return types as string[];
}

function literals(values: readonly unknown[], type: unknown, at: string): Shape {
  const types = type === undefined ? TYPES : typesOf({ type }, at);
  const fitting = values.filter((value) => types.some((name) => isOfType(value, name)));
  if (fitting.length === 0) throw unsupported(at, "none of its values has its type");
  return { kind: "literals", texts: fitting.map((value) => JSON.stringify(value)) };
}

function isOfType(value: unknown, type: string): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "integer") return Number.isInteger(value);
  if (type === "object") return isObject(value);
  return typeof value === type;
}

/** Whether no value fits two of the options: other types, or objects with other constants in the same required property. */
function areApart(options: readonly unknown[]): boolean {
  const types = options.map((option) => (isObject(option) && typeof option["type"] === "string" ? option["type"] : null));
  const isNumeric = (type: string | null) => type === "number" || type === "integer";
  if (!types.includes(null) && new Set(types.map((type) => (isNumeric(type) ? "number" : type))).size === types.length) return true;
  const tags = options.map((option) => {
    const found = new Map<string, string>();
    if (!isObject(option) || option["type"] !== "object" || !isObject(option["properties"]) || !Array.isArray(option["required"])) return found;
    for (const [name, value] of Object.entries(option["properties"])) if (isObject(value) && value["const"] !== undefined && option["required"].includes(name)) found.set(name, JSON.stringify(value["const"]));
    return found;
  });
  return [...(tags[0]?.keys() ?? [])].some((name) => !tags.some((tag) => !tag.has(name)) && new Set(tags.map((tag) => tag.get(name))).size === options.length);
}

function count(schema: Schema, keyword: string, otherwise: number, at: string): number {
  const value = schema[keyword];
  if (value === undefined) return otherwise;
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw unsupported(at, `"${keyword}" is a whole number`);
  return value as number;
}

export const isObject = (value: unknown): value is Schema => typeof value === "object" && value !== null && !Array.isArray(value);

export const unsupported = (at: string, why: string): LeaseholdError => new LeaseholdError("schema-unsupported", `This JSON schema can't be kept to: at ${at}, ${why}.`);
