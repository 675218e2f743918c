/** What `bench:runtime` needs on this machine: the models, the peers, and GGUF files of the peers' other quantisations. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../cli/root.ts";
import { madeModel } from "../../test/support/real-models.ts";
import { type GgufQuant, requantizeGguf } from "./requantize-gguf.ts";

export interface Folders {
  /** As a model hub has them. */
  readonly models: string;
  readonly gguf: string;
}

const QUANTS: readonly GgufQuant[] = ["Q8_0", "Q4_0"];

/** Made at the first run, some minutes; then there. */
export async function prepare(): Promise<Folders> {
  const [text, minilm] = [await madeModel("smollm2"), await madeModel("minilm")];
  if (text.missing !== null) throw new Error(text.missing);
  if (minilm.missing !== null) throw new Error(minilm.missing);
  installPeers();
  return { models: join(text.folder, "../.."), gguf: makeGguf(join(text.folder, "gguf")) };
}

/** Apart from the project's packages; without scripts, for one of theirs downloads what a browser has no use for. */
export function installPeers(): void {
  const folder = join(ROOT, ".leasehold/peers");
  if (existsSync(join(folder, "node_modules/@wllama/wllama")) && existsSync(join(folder, "node_modules/@huggingface/transformers"))) return;
  for (const name of ["package.json", "package-lock.json"]) cpSync(join(ROOT, "bench/runtime/peers", name), join(folder, name));
  const { status } = spawnSync("npm", ["ci", "--ignore-scripts", "--omit=optional"], { cwd: folder, stdio: "inherit" });
  if (status !== 0) throw new Error("the peers could not be installed");
}

function makeGguf(from: string): string {
  const folder = join(ROOT, ".leasehold/gguf");
  mkdirSync(folder, { recursive: true });
  const given = readdirSync(from).find((name) => name.endsWith(".Q4_1.gguf"));
  if (given === undefined) throw new Error(`there is no Q4_1 file in ${from}`);
  if (!existsSync(join(folder, given))) cpSync(join(from, given), join(folder, given));
  for (const quant of QUANTS) {
    const path = join(folder, given.replace("Q4_1", quant));
    if (existsSync(path)) continue;
    writeFileSync(`${path}.part`, requantizeGguf(readFileSync(join(from, given)), quant));
    renameSync(`${path}.part`, path);
  }
  return folder;
}
