import { describe, expect, test } from "vitest";
import { instantOf, keyId, leaseId, modelId, requestId, revisionId, sha256, sortableId, tenantId, tenantOfLeaseId, userId } from "../../../schema/contract/ids.ts";

const accepts = (schema: { safeParse(text: unknown): { success: boolean } }, text: unknown) => schema.safeParse(text).success;

test.each(["a", "acme", "a-b", "0", "a".repeat(32), "x9-9x"])("tenant %j", (id) => expect(accepts(tenantId, id)).toBe(true));
test.each(["", "-a", "a-", "A", "a_b", "a.b", "a/b", "..", "ä", "a".repeat(33), "a b", "a\n", null, 5])("no tenant: %j", (id) => expect(accepts(tenantId, id)).toBe(false));

test.each(["a", "smollm2", "bert-base.v1_2", "a".repeat(64)])("model %j", (id) => expect(accepts(modelId, id)).toBe(true));
test.each(["", ".", "..", ".a", "a.", "a/b", "A", "a".repeat(65), "a\\b", "a%2e"])("no model: %j", (id) => expect(accepts(modelId, id)).toBe(false));

test.each(["u", "user-456", "ü@例.example", " ", "a".repeat(128), "😀"])("user %j", (id) => expect(accepts(userId, id)).toBe(true));
test.each(["", "a\nb", "a\u0000", "\u007f", "\ud800", "a".repeat(129), 5])("no user: %j", (id) => expect(accepts(userId, id)).toBe(false));

test.each(["r", "req_7f3c", "a:b.c-d", "A".repeat(128)])("request id %j", (id) => expect(accepts(requestId, id)).toBe(true));
test.each(["", "a b", "a/b", "ü", "a".repeat(129), "a\r\nb"])("no request id: %j", (id) => expect(accepts(requestId, id)).toBe(false));

const HEX = "0123456789abcdef".repeat(4);
const BODY = "01k9x2m4p6r8t0v2x4z6b8d0";
test.each([
  [sha256, HEX], [revisionId, `rev_${HEX.slice(0, 24)}`], [leaseId, `ls_a_${BODY}`], [leaseId, `ls_${"a".repeat(32)}_${BODY}`], [keyId, `key_${BODY}`],
] as const)("spelled right: %#", (schema, text) => {
  expect(accepts(schema, text)).toBe(true);
  // Nothing before it, nothing after it, not in capitals, none of its length but one.
  for (const other of [`x${text}`, `${text}0`, `${text} `, ` ${text}`, text.toUpperCase(), text.slice(0, -1), text.slice(1), `${text.slice(0, -1)}-`, ""]) expect(accepts(schema, other), other).toBe(false);
});

describe("sortable ids", () => {
  test("sort by their time", () => {
    const times = [0, 1, 31, 32, 1_800_000_000_000, 1_800_000_000_001, 2 ** 49];
    const ids = times.map((time) => sortableId(time));
    expect([...ids].sort()).toEqual(ids);
    for (const id of ids) expect(id).toMatch(/^[0-9a-hjkmnp-tv-z]{24}$/);
  });

  test("of one millisecond differ", () => {
    expect(new Set(Array.from({ length: 1000 }, () => sortableId(5))).size).toBe(1000);
  });

  test("say their millisecond in the first ten characters, and chance in the others", () => {
    const counted = (bytes: Uint8Array) => bytes.forEach((_, index) => (bytes[index] = index + 29));
    expect(sortableId(32 ** 9 + 31, counted)).toBe("100000000zxyz0123456789a");
    expect(sortableId(1_800_000_000_000, counted).slice(0, 10)).toBe("01mcc5rm00");
  });

  test("filled with zeros are the smallest of their millisecond", () => {
    const least = sortableId(7, (bytes) => bytes.fill(0));
    expect(sortableId(7, (bytes) => bytes.fill(1)) > least).toBe(true);
    expect(sortableId(6) < least).toBe(true);
  });
});

describe("a lease id", () => {
  const id = `ls_acme_${sortableId(1_800_000_000_000)}`;
  test("names its tenant", () => expect([accepts(leaseId, id), tenantOfLeaseId(id)]).toEqual([true, "acme"]));
  test.each(["", "ls_acme", id.slice(0, -1), `${id}0`, id.replace("acme", "Acme"), id.replace("acme", "-a"), id.replace("ls_", "lx_")])("%j names none", (text) => {
    expect(tenantOfLeaseId(text)).toBeNull();
  });
});

test("a sortable id tells its instant", () => {
  for (const at of [0, 31, 32, 1_795_365_193_251, 32 ** 10 - 1]) expect(instantOf(sortableId(at))).toBe(at);
});
