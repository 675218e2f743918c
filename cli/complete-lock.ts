/**
 * `npm run lock`: adds to package-lock.json the binaries of other platforms that npm left out of it.
 *
 * - npm leaves out an optional dependency that the registry at hand can't give. Then `npm ci` refuses the lock file, and
 *   a machine of that platform would get no binary.
 * - Only packages that name one exact version and one platform are added, by that version and without a checksum:
 *   npm fetches them where the platform is the machine's, and skips them elsewhere.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./root.ts";

interface LockedPackage {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

const OS = ["android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "aix", "win32"];
const CPU = ["arm64", "arm", "x64", "ia32", "ppc64", "riscv64", "s390x", "loong64", "mips64el"];
const path = join(ROOT, "package-lock.json");
const lock = JSON.parse(readFileSync(path, "utf8")) as { packages: Record<string, LockedPackage> };

const added: string[] = [];
for (const [parent, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const platform = platformOf(name);
    if (!platform || !/^\d+\.\d+\.\d+[^\s]*$/.test(version) || isLocked(parent, name)) continue;
    lock.packages[`node_modules/${name}`] = inOrder({ version, ...platform, ...(dev === true && { dev }), optional: true });
    added.push(`${name}@${version}`);
  }
}
const { "": root, ...rest } = lock.packages;
lock.packages = { ...(root && { "": root }), ...Object.fromEntries(Object.entries(rest).sort(([a], [b]) => a.localeCompare(b, "en"))) };
if (added.length > 0) writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length > 0 ? `Added to package-lock.json:\n  ${added.join("\n  ")}` : "package-lock.json is complete.");

/** The order in which npm writes the fields. */
function inOrder({ version, ...rest }: LockedPackage): LockedPackage {
  return { version, ...Object.fromEntries(Object.entries(rest).sort(([a], [b]) => a.localeCompare(b, "en"))) };
}

/** Where Node would look for `name` from `parent`: there, or in any node_modules above. */
function isLocked(parent: string, name: string): boolean {
  for (let base = parent; ; base = base.slice(0, Math.max(0, base.lastIndexOf("node_modules/") - 1))) {
    if (lock.packages[`${base === "" ? "" : `${base}/`}node_modules/${name}`]) return true;
    if (base === "") return false;
  }
}

/** As these packages name themselves: `…-darwin-arm64`, `…-linux-x64-musl`, `workerd-windows-64`. */
function platformOf(name: string): { os: string[]; cpu: string[]; libc?: string[] } | null {
  const words = name.slice(name.indexOf("/") + 1).replace("windows", "win32").split("-");
  const os = OS.find((one) => words.includes(one));
  const cpu = CPU.find((one) => words.includes(one)) ?? (words.at(-1) === "64" ? "x64" : undefined);
  if (!os || !cpu) return null;
  const libc = os !== "linux" ? undefined : words.some((word) => word.startsWith("musl")) ? "musl" : words.some((word) => word.startsWith("gnu")) ? "glibc" : undefined;
  return { os: [os], cpu: [cpu], ...(libc && { libc: [libc] }) };
}
