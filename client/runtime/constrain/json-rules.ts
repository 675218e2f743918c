/**
 * From a shape to the rules of its text. Pure.
 *
 * - Compact JSON, with one space at will after a comma or a colon, as models like to write it.
 * - A part that could never come to an end (a reference that requires itself) is never begun; where the whole could
 *   not, the schema is refused.
 */
import { jsonNumber, widest } from "./json-number.ts";
import { jsonString } from "./json-string.ts";
import { choice, lazy, literal, NOTHING, type Rule, sequence } from "./rules.ts";
import { matchingString } from "./patterns/matching-string.ts";
import { type Property, type Shape, unsupported } from "./schema.ts";

const SPACE = choice(NOTHING, literal(" "));
const COMMA = sequence(literal(","), SPACE);
const COLON = sequence(literal(":"), SPACE);

const ANY_NUMBER = jsonNumber(widest(6));
const ANY_STRING = jsonString({ min: 0, max: Infinity });
export const ANY_OBJECT: Shape = { kind: "object", properties: [], others: { names: { kind: "string", min: 0, max: Infinity }, shape: { kind: "any" } } };
const ANY: Rule = lazy(() =>
  choice(ANY_STRING, ANY_NUMBER, literal("true"), literal("false"), literal("null"), new Writer().rule(ANY_OBJECT), new Writer().rule({ kind: "array", first: [], rest: { kind: "any" }, min: 0, max: Infinity })),
);

export function jsonRule(shape: Shape): Rule {
  const writer = new Writer();
  if (!writer.isFinite(shape)) throw unsupported("#", "no text satisfies it: it requires itself");
  return writer.rule(shape);
}

class Writer {
  readonly #rules = new Map<Shape, Rule>();
  readonly #finite = new Set<Shape>();

  /** Whether some text satisfies the shape: the least fixed point over its references. */
  isFinite(shape: Shape): boolean {
    if (this.#finite.has(shape)) return true;
    for (let before = -1; before !== this.#finite.size; ) {
      before = this.#finite.size;
      this.#visit(shape, new Set());
    }
    return this.#finite.has(shape);
  }

  #visit(shape: Shape, seen: Set<Shape>): void {
    if (seen.has(shape)) return;
    seen.add(shape);
    const parts = partsOf(shape);
    for (const part of parts) this.#visit(part, seen);
    const known = (part: Shape) => this.#finite.has(part);
    const isSo = (() => {
      switch (shape.kind) {
        case "object":
          return shape.properties.every((property) => !property.isRequired || known(property.shape));
        case "array":
          return Array.from({ length: Math.min(shape.min, shape.first.length + 1) }, (_, at) => shape.first[at] ?? shape.rest).every((item) => item !== null && known(item));
        case "union":
        case "reference":
          return parts.some(known);
        default:
          return true;
      }
    })();
    if (isSo) this.#finite.add(shape);
  }

  rule(shape: Shape): Rule {
    let rule = this.#rules.get(shape);
    if (!rule) this.#rules.set(shape, (rule = this.#write(shape)));
    return rule;
  }

  #write(shape: Shape): Rule {
    switch (shape.kind) {
      case "any":
        return ANY;
      case "literals":
        return choice(...shape.texts.map((text) => literal(text)));
      case "string":
        return jsonString(shape);
      case "matching":
        return matchingString(shape.machine, shape.max);
      case "number":
        return jsonNumber(shape.limits);
      case "union":
        return choice(...shape.options.filter((option) => this.isFinite(option)).map((option) => this.rule(option)));
      case "reference":
        return lazy(() => this.rule(shape.to()));
      case "array":
        return this.#array(shape);
      case "object":
        return this.#object(shape);
    }
  }

  #array({ first, rest, min, max }: Extract<Shape, { kind: "array" }>): Rule {
    const after = new Map<number, Rule>();
    /** What may come once `count` items are there. */
    const from = (count: number): Rule => {
      const known = max === Infinity ? Math.min(count, Math.max(min, first.length)) : count;
      const rule = after.get(known) ?? lazy(() => {
        const options: Rule[] = known >= min ? [literal("]")] : [];
        const item = first[known] ?? rest;
        if (known < max && item && this.isFinite(item)) options.push(sequence(known === 0 ? NOTHING : COMMA, this.rule(item), from(count + 1)));
        return choice(...options);
      });
      after.set(known, rule);
      return rule;
    };
    // An empty array's first item has no comma before it; where counts are folded at 0 the later ones need one.
    const isFolded = max === Infinity && Math.max(min, first.length) === 0;
    if (!isFolded) return sequence(literal("["), from(0));
    if (!rest || !this.isFinite(rest)) return literal("[]");
    const more: Rule = lazy(() => choice(literal("]"), sequence(COMMA, this.rule(rest), more)));
    return sequence(literal("["), choice(literal("]"), sequence(this.rule(rest), more)));
  }

  #object({ properties, others: given }: Extract<Shape, { kind: "object" }>): Rule {
    const named = properties.filter(({ shape }) => this.isFinite(shape));
    const others = given && this.isFinite(given.shape) ? { key: this.rule(given.names), value: given.shape } : null;
    const after = new Map<string, Rule>();
    /** What may come where the properties before `at` are done with. */
    const from = (at: number, isFirst: boolean): Rule => {
      const key = `${at}/${isFirst}`;
      const rule = after.get(key) ?? lazy(() => {
        const comma = isFirst ? NOTHING : COMMA;
        const options: Rule[] = [];
        let next = at;
        for (let property = named[next]; property; property = named[++next]) {
          options.push(sequence(comma, this.#property(property), from(next + 1, false)));
          if (property.isRequired) return choice(...options);
        }
        if (others) options.push(sequence(comma, others.key, COLON, lazy(() => this.rule(others.value)), from(named.length, false)));
        options.push(literal("}"));
        return choice(...options);
      });
      after.set(key, rule);
      return rule;
    };
    return sequence(literal("{"), from(0, true));
  }

  #property({ name, shape }: Property): Rule {
    return sequence(literal(JSON.stringify(name)), COLON, lazy(() => this.rule(shape)));
  }
}

function partsOf(shape: Shape): readonly Shape[] {
  switch (shape.kind) {
    case "object":
      return [...shape.properties.map((property) => property.shape), ...(shape.others ? [shape.others.shape] : [])];
    case "array":
      return shape.rest ? [...shape.first, shape.rest] : shape.first;
    case "union":
      return shape.options;
    case "reference":
      return [shape.to()];
    default:
      return [];
  }
}
