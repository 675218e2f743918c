/**
 * The string keywords of JSON schemas that must all hold, as one shape. Pure.
 *
 * - `pattern` and the known `format`s are held to exactly, together with the lengths; where the machine of all that would
 *   be too large, it is refused.
 */
import { FORMATS } from "./patterns/formats.ts";
import { Languages } from "./patterns/language.ts";
import { Machine, START } from "./patterns/machine.ts";
import { matchesOf } from "./patterns/matches.ts";

export type StringShape =
  | { readonly kind: "string"; readonly min: number; readonly max: number; readonly except?: readonly string[] }
  | { readonly kind: "matching"; readonly machine: Machine; readonly max: number };

export const STRING_KEYWORDS = ["minLength", "maxLength", "pattern"] as const;

export const isKnownFormat = (format: unknown): format is string => typeof format === "string" && Object.hasOwn(FORMATS, format);

type Refuse = (why: string) => Error;
type Schema = Readonly<Record<string, unknown>>;

/** The schemas of which one of strings is made (itself, and those in its `allOf`); null where it is of something else. */
export function stringSchemas(schema: unknown, isDescribing: (keyword: string) => boolean): readonly Schema[] | null {
  if (typeof schema !== "object" || schema === null) return null;
  const { type = "string", allOf = [], ...own } = schema as Schema;
  if (type !== "string" || !Array.isArray(allOf)) return null;
  if (!Object.keys(own).every((keyword) => isDescribing(keyword) || STRING_KEYWORDS.some((known) => known === keyword))) return null;
  const others = allOf.map((part: unknown) => stringSchemas(part, isDescribing));
  return others.every((part) => part !== null) ? [own, ...others.flat()] : null;
}

/** Null where no text satisfies them all. `except`: texts that it must not be. */
export function readString(schemas: readonly Schema[], refuse: Refuse, except: readonly string[] = []): StringShape | null {
  const count = (keyword: string) =>
    schemas.flatMap((schema) => {
      const value = schema[keyword];
      if (value === undefined) return [];
      if (!Number.isSafeInteger(value) || (value as number) < 0) throw refuse(`"${keyword}" is a whole number`);
      return [value as number];
    });
  const min = Math.max(0, ...count("minLength"));
  const max = Math.min(Infinity, ...count("maxLength"));
  if (min > max) return null;
  const patterns = schemas.flatMap(({ pattern, format }) => {
    if (pattern !== undefined && typeof pattern !== "string") throw refuse('"pattern" is a text');
    const own = isKnownFormat(format) ? [`^(?:${FORMATS[format]})$`] : [];
    return pattern === undefined ? own : [pattern, ...own];
  });
  if (patterns.length === 0) return { kind: "string", min, max, ...(except.length > 0 && { except }) };

  const languages = new Languages();
  const all = patterns.map((pattern) => matchesOf(pattern, languages, refuse));
  const long = languages.repeat(languages.one, min, Infinity);
  const others = except.map((text) => languages.not(languages.text(text)));
  const machine = new Machine(languages.allOf(...all, long, ...others), languages);
  if (machine.isNear(START, max)) return { kind: "matching", machine, max };
  if (machine.isTooLarge) throw refuse("its pattern and lengths need more states than are kept here");
  return null;
}

/** Whether it may be this text. */
export function isFitting(shape: StringShape, text: string): boolean {
  const { length } = [...text];
  if (length > shape.max) return false;
  return shape.kind === "matching" ? shape.machine.matches(text) : length >= shape.min && !(shape.except ?? []).includes(text);
}
