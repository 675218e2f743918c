/** `npm run types`: type-checks every realm, each by a tsconfig of its own. */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./root.ts";

const configs = globSync("**/tsconfig{,.*}.json", { cwd: ROOT, exclude: ["tsconfig.base.json", "node_modules/**", "dist/**", ".leasehold/**"] }).sort();
const failed = configs.filter((config) => {
  const { status } = spawnSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", config], { cwd: ROOT, stdio: "inherit" });
  console.log(`${status === 0 ? "ok  " : "FAIL"} ${config}`);
  return status !== 0;
});
process.exitCode = failed.length === 0 ? 0 : 1;
