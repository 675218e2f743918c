/**
 * Conditional and range requests for an immutable blob (RFC 9110 §13, §14). Pure.
 *
 * - Preconditions are weighed in the order of §13.2.2: `If-Match` (strong comparison), `If-None-Match` (weak), and last
 *   `Range` under `If-Range` (strong; a date never matches: blobs have no Last-Modified).
 * - A range is defined for GET alone: HEAD answers as GET without it would.
 * - Of several ranges those that overlap or touch become one, and those that can't be satisfied fall away. Where one is
 *   left it is sent; where none is, the answer is 416; of more, the whole blob, as §14.2 allows.
 * - Another unit, a malformed field and more than `MAX_RANGES` are ignored.
 */

export interface Conditions {
  readonly method: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly ifMatch: string | undefined;
}

export type Delivery =
  | { readonly kind: "whole" }
  | { readonly kind: "part"; readonly first: number; readonly last: number }
  | { readonly kind: "not-modified" }
  | { readonly kind: "precondition-failed" }
  | { readonly kind: "not-satisfiable" };

/** A browser asks for one; more than a few are no honest download. */
const MAX_RANGES = 16;

const WHOLE: Delivery = { kind: "whole" };

/** Bytes of body that an answer to GET sends. */
export function bytesOf(delivery: Delivery, size: number): number {
  if (delivery.kind === "part") return delivery.last - delivery.first + 1;
  return delivery.kind === "whole" ? size : 0;
}

/** `etag`: the blob's, strong, with its quotes. */
export function decideDelivery({ method, ifMatch, ifNoneMatch, ifRange, range }: Conditions, etag: string, size: number): Delivery {
  if (ifMatch !== undefined && ifMatch.trim() !== "*" && !tagsOf(ifMatch).includes(etag)) return { kind: "precondition-failed" };
  if (ifNoneMatch !== undefined && (ifNoneMatch.trim() === "*" || tagsOf(ifNoneMatch).some((tag) => tag.replace(/^W\//, "") === etag))) return { kind: "not-modified" };
  if (range === undefined || method !== "GET" || (ifRange !== undefined && ifRange.trim() !== etag)) return WHOLE;
  return decideRange(range, size);
}

/** The entity tags of a list, as they are spelled; a tag may hold a comma. */
const tagsOf = (field: string): string[] => field.match(/(?<![^\s,])(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g) ?? [];

interface Span {
  readonly first: number;
  readonly last: number;
}

function decideRange(field: string, size: number): Delivery {
  const set = /^bytes=(.*)$/i.exec(field.trim())?.[1];
  const specs = set?.split(",").map((spec) => spec.trim()).filter((spec) => spec !== "");
  if (!specs || specs.length === 0 || specs.length > MAX_RANGES) return WHOLE;
  const spans: Span[] = [];
  for (const spec of specs) {
    const span = spanOf(spec, size);
    if (span === "malformed") return WHOLE;
    if (span !== "unsatisfiable") spans.push(span);
  }
  const [only, another] = joined(spans);
  if (!only) return { kind: "not-satisfiable" };
  return another ? WHOLE : { kind: "part", ...only };
}

function spanOf(spec: string, size: number): Span | "malformed" | "unsatisfiable" {
  const [, from, to] = /^(\d*)-(\d*)$/.exec(spec) ?? [];
  if (from === undefined || to === undefined || (from === "" && to === "")) return "malformed";
  if (from === "") return Number(to) === 0 || size === 0 ? "unsatisfiable" : { first: Math.max(0, size - Number(to)), last: size - 1 };
  if (to !== "" && Number(to) < Number(from)) return "malformed";
  return Number(from) >= size ? "unsatisfiable" : { first: Number(from), last: to === "" ? size - 1 : Math.min(Number(to), size - 1) };
}

function joined(spans: readonly Span[]): Span[] {
  const all: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.first - b.first)) {
    const before = all.at(-1);
    if (before && span.first <= before.last + 1) all[all.length - 1] = { first: before.first, last: Math.max(before.last, span.last) };
    else all.push(span);
  }
  return all;
}
