/**
 * `npm run arrows`: holds the arrows between folders. Fails on an import that points the wrong way.
 *
 * - All imports count: static, dynamic, re-exports, and `new URL("./x.ts", import.meta.url)` of workers.
 *   A type-only import counts too, but for the widget, which may know the types of the rest.
 * - Paths are taken as written; the code imports by relative path with the extension, so nothing is to be resolved.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { parseSync } from "vite";
import { ROOT } from "./root.ts";

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

interface Rule {
  readonly name: string;
  readonly from: RegExp;
  /** `target` is a path from the root, or a package's name. */
  readonly forbids: (target: string, typeOnly: boolean) => boolean;
}

const under = (pattern: RegExp) => (target: string) => pattern.test(target);

const RULES: readonly Rule[] = [
  { name: "schema/ imports none of the others", from: /^schema\//, forbids: under(/^(worker|client|cli|examples|bench|test)\//) },
  { name: "worker/ imports neither client/ nor tools", from: /^worker\//, forbids: under(/^(client|cli|examples|bench|test)\//) },
  { name: "client/ imports neither worker/ nor tools", from: /^client\//, forbids: under(/^(worker|cli|examples|bench|test)\//) },
  {
    name: "client/widget imports itself, the error and types only",
    from: /^client\/widget\//,
    forbids: (target, typeOnly) => !typeOnly && !target.startsWith("client/widget/") && target !== "client/errors.ts",
  },
  { name: "cli/ speaks the public API (only the docs' generator reads the sources)", from: /^cli\/(?!generate-docs\.ts$)/, forbids: under(/^(worker|client|test)\//) },
];

const files = globSync("{schema,worker,client,cli,examples,bench,test}/**/*.{ts,tsx}", { cwd: ROOT }).map((path) => path.replaceAll("\\", "/")).sort();
const wrong = files.flatMap((file) =>
  importsOf(file, readFileSync(join(ROOT, file), "utf8")).flatMap(({ specifier, typeOnly }) => {
    const target = specifier.startsWith(".") ? posix.join(dirname(file), specifier) : specifier;
    return RULES.filter((rule) => rule.from.test(file) && rule.forbids(target, typeOnly)).map((rule) => `${file} → ${target}: ${rule.name}`);
  }),
);

for (const line of wrong) console.error(line);
console.log(wrong.length === 0 ? `${files.length} files, all arrows right.` : `${wrong.length} wrong arrows.`);
process.exitCode = wrong.length === 0 ? 0 : 1;

function importsOf(file: string, text: string): Import[] {
  const { module, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file} can't be parsed: ${errors[0]?.message}`);
  const isTypeOnly = (entries: readonly { readonly isType: boolean }[]) => entries.length > 0 && entries.every((entry) => entry.isType);
  return [
    ...module.staticImports.map((item) => ({ specifier: item.moduleRequest.value, typeOnly: isTypeOnly(item.entries) })),
    ...module.staticExports.flatMap((item) => {
      const from = item.entries.find((entry) => entry.moduleRequest)?.moduleRequest;
      return from ? [{ specifier: from.value, typeOnly: isTypeOnly(item.entries) }] : [];
    }),
    ...module.dynamicImports.map((item) => ({ specifier: unquote(text.slice(item.moduleRequest.start, item.moduleRequest.end)), typeOnly: false })),
    ...[...text.matchAll(/new URL\(\s*["']([^"']+)["']\s*,\s*import\.meta\.url/g)].map((match) => ({ specifier: match[1] ?? "", typeOnly: false })),
  ];
}

function unquote(text: string): string {
  return text.replace(/^["'`]|["'`]$/g, "");
}
