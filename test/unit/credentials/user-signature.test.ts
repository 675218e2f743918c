import { expect, test } from "vitest";
import { isSigned, signUser } from "../../../worker/tenants/user-signature.ts";

const NOW = 1_800_000_000_000;
const SOON = NOW / 1000 + 60;

test("is the HMAC-SHA-256 of the id, as any back end computes it", () => {
  // printf user-456 | openssl dgst -sha256 -hmac lh_us_secret
  expect(signUser("lh_us_secret", "user-456")).toBe("cd538be322112e88c304180f8ecf9db87256edef9fe581819a98e10d210503fd");
});

test.each(["u", "user-456", "ü@例.example", "a".repeat(128)])("signs %j, for itself and under its own secret", (user) => {
  const signature = signUser("s1", user);
  expect(isSigned("s1", user, signature, NOW)).toBe(true);
  expect(isSigned("s2", user, signature, NOW)).toBe(false);
  expect(isSigned("s1", `${user}x`, signature, NOW)).toBe(false);
});

test("with an end it holds until then, and not at it", () => {
  const signature = signUser("s", "u", SOON);
  expect(isSigned("s", "u", signature, NOW)).toBe(true);
  expect(isSigned("s", "u", signature, SOON * 1000 - 1)).toBe(true);
  expect(isSigned("s", "u", signature, SOON * 1000)).toBe(false);
});

test.each(["", "0", "cd53", `${"0".repeat(64)}0`, ".", `${SOON}.`, `x.${"0".repeat(64)}`])("%j is no signature", (signature) => {
  expect(isSigned("s", "u", signature, NOW)).toBe(false);
});

test("the end is signed too", () => {
  const [, digest] = signUser("s", "u", SOON).split(".");
  expect(isSigned("s", "u", `${SOON + 1}.${digest}`, NOW)).toBe(false);
  expect(isSigned("s", "u", `${digest}`, NOW)).toBe(false);
});

test("neither form passes for the other: no id holds a line feed", () => {
  const plain = signUser("s", `${SOON}.u`);
  expect(isSigned("s", "u", `${SOON}.${plain}`, NOW)).toBe(false);
});

test.each([0, 10, 63])("a signature with its digit %d changed does not hold", (at) => {
  const signature = signUser("s", "u");
  const other = signature.slice(0, at) + (signature[at] === "0" ? "1" : "0") + signature.slice(at + 1);
  expect(isSigned("s", "u", other, NOW)).toBe(false);
});
