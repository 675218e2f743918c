/**
 * The real models of tests and benches. They lie or are made next to the checkout, never in it.
 *
 * - `smallDecoder` lies there ready. `madeModel` makes the others once a machine, by the models' own script (MiniLM in a
 *   minute, SmolLM2 in eight), into the folder that the script says: `LEASEHOLD_MODELS`, or one in the user's cache.
 * - What can't be had says why: a test is skipped with that reason. Where CI=true it throws, and the test fails.
 * - `readyModel` makes nothing: nobody should wait eight minutes for a test. What nobody has made is skipped with that
 *   reason, also where CI=true; that the script which makes it is not there fails then.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export type Found = { readonly folder: string; readonly missing: null } | { readonly folder: null; readonly missing: string };

export const SHARED_MODELS = join(import.meta.dirname, "../../../shared/models");

const MADE = { minilm: "Xenova/all-MiniLM-L6-v2", smollm2: "HuggingFaceTB/SmolLM2-135M-Instruct" } as const;

/** A decoder of 1.5 MB that tells small stories. */
export function smallDecoder(): Found {
  const folder = join(SHARED_MODELS, "tinystories-260K");
  return existsSync(join(folder, "onnx/model.onnx")) ? { folder, missing: null } : without(`there is no ${folder}`);
}

/** What the models are known to answer; beside `smallDecoder`. */
export const expectedOf = (name: "tinystories" | "minilm" | "smollm2"): string => join(SHARED_MODELS, "expected", `${name}.json`);

export async function madeModel(name: keyof typeof MADE): Promise<Found> {
  const script = join(SHARED_MODELS, "make.sh");
  if (!existsSync(script)) return without(`there is no ${script}`);
  const { status, out, err } = await ended(script, name);
  const folder = join(out.trim().split("\n").at(-1) ?? "", MADE[name]);
  if (status === 0 && existsSync(join(folder, "onnx"))) return { folder, missing: null };
  return without(`${script} ${name} failed (${status}): ${err.trim().split("\n").at(-1) ?? ""}`);
}

export function readyModel(name: keyof typeof MADE): Found {
  const { LEASEHOLD_MODELS: stated, XDG_CACHE_HOME: cache = join(homedir(), ".cache") } = process.env;
  const folder = join(stated ?? join(cache, "leasehold-models"), MADE[name]);
  const script = join(SHARED_MODELS, "make.sh");
  if (!existsSync(script)) return without(`there is no ${script}`);
  return existsSync(join(folder, ".ready")) ? { folder, missing: null } : { folder: null, missing: `there is no ${folder}; ${script} ${name} makes it in 8 minutes` };
}

/** A test's name, with the reason where it is skipped. */
export const titled = (name: string, { missing }: Found): string => (missing === null ? name : `${name} (skipped: ${missing})`);

function without(missing: string): Found {
  if (process.env["CI"] === "true") throw new Error(missing);
  return { folder: null, missing };
}

async function ended(script: string, name: string): Promise<{ status: number | null; out: string; err: string }> {
  const child = spawn("bash", [script, name], { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (part: string) => (out += part));
  child.stderr.setEncoding("utf8").on("data", (part: string) => (err += part));
  return new Promise((resolve, reject) => {
    child.once("error", reject).once("close", (status) => resolve({ status, out, err }));
  });
}
