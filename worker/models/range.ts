/**
 * Conditional and range requests for an immutable blob (RFC 9110 §13, §14). Pure.
 *
 * - One byte range is served; several, another unit or a malformed field are ignored, as the RFC allows: the whole blob.
 * - `If-Range` must be the blob's strong ETag, else the range is ignored. `If-None-Match` is weighed first.
 */

export interface Conditions {
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

/** Bytes of body that an answer sends. */
export function bytesOf(delivery: Delivery, size: number): number {
  if (delivery.kind === "part") return delivery.last - delivery.first + 1;
  return delivery.kind === "whole" ? size : 0;
}

const tagsOf = (field: string) => field.split(",").map((tag) => tag.trim().replace(/^W\//, ""));

export function decideDelivery(conditions: Conditions, etag: string, size: number): Delivery {
  const { ifMatch, ifNoneMatch, ifRange, range } = conditions;
  if (ifMatch !== undefined && ifMatch.trim() !== "*" && !ifMatch.split(",").some((tag) => tag.trim() === etag)) return { kind: "precondition-failed" };
  if (ifNoneMatch !== undefined && (ifNoneMatch.trim() === "*" || tagsOf(ifNoneMatch).includes(etag))) return { kind: "not-modified" };
  if (range === undefined || (ifRange !== undefined && ifRange.trim() !== etag)) return { kind: "whole" };
  return decideRange(range, size);
}

function decideRange(range: string, size: number): Delivery {
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(range);
  if (!match || (match[1] === "" && match[2] === "")) return { kind: "whole" };
  if (match[1] === "") {
    const suffix = Number(match[2]);
    return suffix === 0 ? { kind: "not-satisfiable" } : { kind: "part", first: Math.max(0, size - suffix), last: size - 1 };
  }
  const first = Number(match[1]);
  const last = match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (match[2] !== "" && Number(match[2]) < first) return { kind: "whole" };
  return first >= size ? { kind: "not-satisfiable" } : { kind: "part", first, last };
}
