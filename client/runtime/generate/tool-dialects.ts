/**
 * How families of models write tool calls, told by what their chat templates say. Pure.
 *
 * - A marker that is a special token of the tokenizer is known by its id alone: the same letters in other tokens are text.
 *   In rules it is spelled by two bytes that no text has.
 */
import { literal, type Rule } from "../constrain/rules.ts";

export interface Dialect {
  readonly open: string;
  /** Null: the calls go on to the answer's end. */
  readonly close: string | null;
  /** After each `open` one call, or a list of them. */
  readonly form: "one" | "list";
  readonly given: "arguments" | "parameters";
  /** An answer that begins with `{` is a call, also without `open`. */
  readonly isBare: boolean;
  readonly callId: () => string;
}

const randomId = (length: number): string => crypto.randomUUID().replaceAll("-", "").slice(0, length);
const anyId = (): string => `call_${randomId(24)}`;

/** Qwen, Hermes, SmolLM3 and others. */
const HERMES: Dialect = { open: "<tool_call>", close: "</tool_call>", form: "one", given: "arguments", isBare: false, callId: anyId };
/** Mistral's templates take back ids of nine letters only. */
const MISTRAL: Dialect = { open: "[TOOL_CALLS]", close: null, form: "list", given: "arguments", isBare: false, callId: () => randomId(9) };
/** Llama 3.1 and later, for functions of one's own. */
const LLAMA: Dialect = { open: "<|python_tag|>", close: null, form: "one", given: "parameters", isBare: true, callId: anyId };

/** Of the same marker in other families: what follows there is no JSON of a name and arguments. */
const OTHERS = ["[ARGS]", "<function=", "<arg_key>"];

export function dialectOf(template: string): Dialect | null {
  if (OTHERS.some((mark) => template.includes(mark))) return null;
  return [HERMES, MISTRAL, LLAMA].find(({ open }) => template.includes(open)) ?? null;
}

export interface Marker {
  readonly text: string;
  /** Of the special token that it is; null: it is text. */
  readonly id: number | null;
  readonly rule: Rule;
}

export interface Markers {
  readonly open: Marker;
  readonly close: Marker | null;
}

const NO_TEXT = 0xff;
const spelling = (place: number): Uint8Array => Uint8Array.of(NO_TEXT, place);

export function markersOf({ open, close }: Dialect, specialId: (token: string) => number | null): Markers {
  const marker = (text: string, place: number): Marker => {
    const id = specialId(text);
    return { text, id, rule: literal(id === null ? text : spelling(place)) };
  };
  return { open: marker(open, 0), close: close === null ? null : marker(close, 1) };
}

/** The tokens' bytes, with those of special markers among them, and none that could spell one byte by byte. */
export function withMarkers(bytes: readonly (Uint8Array | null)[], { open, close }: Markers): readonly (Uint8Array | null)[] {
  const places = new Map([open, close].flatMap((marker, place) => (marker?.id == null ? [] : [[marker.id, place] as const])));
  return places.size === 0 ? bytes : bytes.map((own, token) => (places.has(token) ? spelling(places.get(token) as number) : own?.includes(NO_TEXT) ? null : own));
}

