/** What an API should never be sent, and is: values, texts, paths and headers for the fuzz. */
import * as fc from "fast-check";

const TEXTS = [
  "", " ", "0", "-1", "null", "undefined", "NaN", "true", "__proto__", "constructor", "toString", "../../etc/passwd", "..%2f..", "%00", "\u0000", "a\nb", "\ufeff", "\u202e",
  "'; DROP TABLE leases; --", "\" OR 1=1", "<script>alert(1)</script>", "${7*7}", "{{7*7}}", "é", "e\u0301", "𝄞", "\u{1f600}".repeat(40), "x".repeat(300), "1e309", "9007199254740993", "2026-13-45T99:99:99Z",
  "http://localhost/", "http://169.254.169.254/", "file:///etc/passwd", "javascript:alert(1)", "*", "null\n", "ls_acme_00000000000000000000000000",
];
const VALUES: readonly unknown[] = [
  null, true, false, 0, -0, -1, 0.5, 1e308, -1e308, 2 ** 53, -(2 ** 53), "", [], {}, [[]], [null], { a: { b: { c: {} } } }, { toString: 1 }, { constructor: { prototype: 1 } }, { length: 1 },
  Array.from({ length: 200 }, () => 0), "x".repeat(5_000), ...TEXTS,
];

export const hostileText = (): fc.Arbitrary<string> => fc.oneof(fc.constantFrom(...TEXTS), fc.string({ maxLength: 40 }), fc.string({ unit: "grapheme", maxLength: 20 }));
export const hostileValue = (): fc.Arbitrary<unknown> => fc.oneof(fc.constantFrom(...VALUES), fc.jsonValue({ maxDepth: 4 }));

/** The value with one thing in it replaced, removed or added. `pick` chooses where. */
export function spoiled(value: unknown, pick: number, by: unknown): unknown {
  if (typeof value !== "object" || value === null) return by;
  const copy = structuredClone(value) as Record<string, unknown>;
  const names = Object.keys(copy);
  const place = pick % (names.length * 3 + 1);
  if (place >= names.length * 3) {
    if (Array.isArray(copy)) copy.push(by);
    else copy[`extra${pick % 7}`] = by;
    return copy;
  }
  const name = names[Math.floor(place / 3)] as string;
  if (place % 3 === 0) delete copy[name];
  else copy[name] = place % 3 === 1 ? by : spoiled(copy[name], Math.floor(pick / 7), by);
  return copy;
}

export const hostileHeaders = (): fc.Arbitrary<Record<string, string>> => {
  const value = fc.oneof(fc.constantFrom("", " ", "*", "bytes=0-", "bytes=-1", "bytes=0-0", "bytes=5-2", "bytes=0-1,3-4", "bytes=99999999999999999999-", "items=0-1", '"x"', 'W/"x"', "text/plain", "application/json; charset=utf-16", "gzip", "null", "https://evil.example", "same-origin", "cross-site"), fc.stringMatching(/^[\x21-\x7e]{0,60}$/));
  const name = fc.constantFrom("range", "if-range", "if-match", "if-none-match", "idempotency-key", "x-request-id", "content-type", "accept", "origin", "sec-fetch-site", "dpop", "content-encoding", "x-forwarded-for", "x-http-method-override");
  return fc.dictionary(name, value, { maxKeys: 3 });
};
