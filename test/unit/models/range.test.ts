/** The corners of RFC 9110 §13 and §14, by section. */
import { describe, expect, it } from "vitest";
import { type Conditions, type Delivery, bytesOf, decideDelivery } from "../../../worker/models/range.ts";

const ETAG = '"abc"';
const NONE: Conditions = { method: "GET", range: undefined, ifRange: undefined, ifNoneMatch: undefined, ifMatch: undefined };
const ask = (conditions: Partial<Conditions>, size = 100) => decideDelivery({ ...NONE, ...conditions }, ETAG, size);

const whole: Delivery = { kind: "whole" };
const part = (first: number, last: number): Delivery => ({ kind: "part", first, last });
const refused: Delivery = { kind: "not-satisfiable" };

describe("Range (§14.2)", () => {
  it.each<[string, Delivery]>([
    ["bytes=0-0", part(0, 0)],
    ["bytes=10-19", part(10, 19)],
    ["bytes=0-99", part(0, 99)],
    ["bytes=90-", part(90, 99)],
    ["bytes=99-", part(99, 99)],
    // A last position beyond the end is the end (§14.1.2).
    ["bytes=90-100", part(90, 99)],
    ["bytes=0-99999999999999999999999", part(0, 99)],
    ["bytes=-1", part(99, 99)],
    ["bytes=-100", part(0, 99)],
    // A suffix longer than the blob is all of it.
    ["bytes=-101", part(0, 99)],
    ["bytes=-99999999999999999999999", part(0, 99)],
    ["BYTES=1-2", part(1, 2)],
    ["bytes=007-008", part(7, 8)],
    // Unsatisfiable (§15.5.17).
    ["bytes=100-", refused],
    ["bytes=100-200", refused],
    ["bytes=99999999999999999999999-", refused],
    ["bytes=-0", refused],
    ["bytes=100-,200-300,-0", refused],
    // Malformed or of another unit: ignored.
    ["bytes=", whole],
    ["bytes=-", whole],
    ["bytes=,", whole],
    ["bytes=5-4", whole],
    ["bytes=a-b", whole],
    ["bytes=0-1-2", whole],
    ["bytes=0x0-0x5", whole],
    ["bytes=+1-2", whole],
    ["bytes=1.5-2", whole],
    ["bytes 0-5", whole],
    ["items=0-5", whole],
    ["", whole],
    ["bytes=0-5,junk", whole],
    // Several: those that touch or overlap are one, those that can't be satisfied fall away.
    ["bytes=0-9,10-19", part(0, 19)],
    ["bytes=10-19, 0-12", part(0, 19)],
    ["bytes=0-9,,5-6 ,", part(0, 9)],
    ["bytes=0-9,500-600", part(0, 9)],
    ["bytes=90-,-20", part(80, 99)],
    ["bytes=0-0,-1", whole],
    ["bytes=0-0,2-2", whole],
    [`bytes=${Array.from({ length: 17 }, () => "0-0").join(",")}`, whole],
  ])("%s", (range, wanted) => expect(ask({ range })).toEqual(wanted));

  it("of an empty representation there is no range to send", () => {
    expect(ask({ range: "bytes=0-" }, 0)).toEqual(refused);
    expect(ask({ range: "bytes=-5" }, 0)).toEqual(refused);
    expect(ask({}, 0)).toEqual(whole);
  });

  it("is defined for GET alone", () => {
    expect(ask({ method: "HEAD", range: "bytes=0-5" })).toEqual(whole);
    expect(ask({ method: "HEAD", range: "bytes=500-" })).toEqual(whole);
  });
});

describe("If-Range (§13.1.5)", () => {
  it.each<[string, Delivery]>([
    [ETAG, part(0, 5)],
    [` ${ETAG} `, part(0, 5)],
    [`W/${ETAG}`, whole],
    ['"other"', whole],
    ["abc", whole],
    ["Wed, 21 Oct 2026 07:28:00 GMT", whole],
    [`${ETAG}, "other"`, whole],
  ])("%s", (ifRange, wanted) => expect(ask({ range: "bytes=0-5", ifRange })).toEqual(wanted));

  it("that does not match spares a range that can't be satisfied", () => expect(ask({ range: "bytes=500-", ifRange: '"other"' })).toEqual(whole));
  it("without a range says nothing", () => expect(ask({ ifRange: '"other"' })).toEqual(whole));
});

describe("If-None-Match (§13.1.2)", () => {
  it.each(["*", " * ", ETAG, `W/${ETAG}`, `"x", ${ETAG}`, `"x",W/${ETAG} , "y"`, `"a,b",${ETAG}`])("%s is 304", (ifNoneMatch) => {
    expect(ask({ ifNoneMatch })).toEqual({ kind: "not-modified" });
    expect(ask({ ifNoneMatch, method: "HEAD" })).toEqual({ kind: "not-modified" });
    // Before any range, also one that can't be satisfied.
    expect(ask({ ifNoneMatch, range: "bytes=500-" })).toEqual({ kind: "not-modified" });
  });
  it.each(['"x"', "abc", "", '"ab,c"', `w/${'"x"'}`, '"ABC"'])("%s is not", (ifNoneMatch) => expect(ask({ ifNoneMatch })).toEqual(whole));
});

describe("If-Match (§13.1.1)", () => {
  it.each(["*", ETAG, `"x", ${ETAG}`])("%s lets the request through", (ifMatch) => expect(ask({ ifMatch, range: "bytes=1-2" })).toEqual(part(1, 2)));
  // Strong comparison: a weak tag never matches.
  it.each([`W/${ETAG}`, '"x"', "", "abc"])("%s is 412", (ifMatch) => expect(ask({ ifMatch })).toEqual({ kind: "precondition-failed" }));
  it("is weighed before If-None-Match", () => expect(ask({ ifMatch: '"x"', ifNoneMatch: ETAG })).toEqual({ kind: "precondition-failed" }));
});

it("counts the bytes that are sent", () => {
  expect([bytesOf(whole, 100), bytesOf(part(10, 19), 100), bytesOf(refused, 100), bytesOf({ kind: "not-modified" }, 100)]).toEqual([100, 10, 0, 0]);
});
