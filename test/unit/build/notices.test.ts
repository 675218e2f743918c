import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { noticesOf, packageOf } from "../../../cli/build/notices.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const folder = temporaryFolder();
const made = (name: string, stated: object, files: Readonly<Record<string, string>> = {}): string => {
  const path = join(folder.path, name);
  mkdirSync(path, { recursive: true });
  for (const [file, text] of Object.entries({ "package.json": JSON.stringify({ name, version: "1.2.3", ...stated }), ...files })) writeFileSync(join(path, file), text);
  return path;
};

test("a module's package is the innermost one that it lies in", () => {
  expect(packageOf("/a/node_modules/idb/build/index.js")).toBe("/a/node_modules/idb");
  expect(packageOf("/a/node_modules/x/node_modules/@scope/name/index.js?worker")).toBe("/a/node_modules/x/node_modules/@scope/name");
  expect(packageOf("/a/client/sdk/index.ts")).toBeNull();
});

test("each package is told with its licence and the text of that", () => {
  const text = noticesOf([made("b", { license: "MIT", repository: { url: "git+https://example.com/b.git" } }, { LICENSE: "B's text" }), made("a", { license: "ISC" }, { "LICENCE.md": "A's text" })]);
  expect(text.indexOf("a 1.2.3 (ISC)\n\nA's text")).toBeGreaterThan(0);
  expect(text.indexOf("b 1.2.3 (MIT)\nhttps://example.com/b.git\n\nB's text")).toBeGreaterThan(text.indexOf("A's text"));
});

test("one whose licence is not told lets nothing be built", () => {
  expect(() => noticesOf([made("c", { license: "MIT" })])).toThrow("The licence of c is not known");
  expect(() => noticesOf([made("d", {}, { LICENSE: "?" })])).toThrow("The licence of d is not known");
});
