/**
 * The package as someone gets it: `npm pack`, unpacked into a project of its own, beside what they have installed.
 *
 * - What it may import is linked one by one: anything else that it needs and doesn't state is not found.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type InlineConfig, build } from "vite";
import { ROOT } from "../../cli/root.ts";

export class Project {
  readonly path: string;

  constructor(path: string, installed: readonly string[]) {
    this.path = path;
    mkdirSync(join(path, "node_modules/leasehold"), { recursive: true });
    this.write("package.json", JSON.stringify({ name: "shop", private: true, type: "module" }));
    this.run("npm", ["pack", "--silent", "--pack-destination", path], ROOT);
    const tarball = readdirSync(path).find((name) => name.endsWith(".tgz")) ?? "";
    this.run("tar", ["-xzf", join(path, tarball), "--strip-components=1", "-C", join(path, "node_modules/leasehold")]);
    for (const name of installed) {
      mkdirSync(dirname(join(path, "node_modules", name)), { recursive: true });
      symlinkSync(join(ROOT, "node_modules", name), join(path, "node_modules", name), "dir");
    }
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.path, name), text);
  }

  /** What it printed; throws with what it said where it fails. */
  run(command: string, args: readonly string[], cwd = this.path): string {
    const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
    if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? ""}\n${stdout}${stderr}`);
    return stdout;
  }

  /** As a page's own build does it, without any setting for Leasehold. */
  async bundle(settings: InlineConfig = {}): Promise<void> {
    await build({ root: this.path, base: "/", configFile: false, logLevel: "error", ...settings });
  }
}
