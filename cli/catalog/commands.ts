/** The commands of the catalogue, out of words and options. Pure; an Error says what is missing. */
import { derivationCreate } from "../../schema/contract/catalog.ts";
import { modelId, tenantId } from "../../schema/contract/ids.ts";
import { importCreate } from "../../schema/contract/imports.ts";
import { type Prices, type RevisionCreate, revisionCreate } from "../../schema/contract/models.ts";
import type { Derivation } from "../publish.ts";

export const CATALOG_HELP = `npm run catalog -- COMMAND [--url http://localhost:8787]     with LEASEHOLD_KEY in the environment
  models                                                  what the catalogue has
  publish MODEL --folder DIR --task T [--measure M] [--run-tokens N] [--variant ID] [--licence SPDX] [--input-nanos N] [--output-nanos N] [--draft]
  import MODEL --source hf:ORG/NAME --variants q4,q8 [--revision main] [--draft]
  revisions MODEL · rollback MODEL · grants MODEL
  grant MODEL --tenant T [--revision rev_…] [--no-follow]
  revoke MODEL --tenant T
  derive MODEL --tenant T --base MODEL@rev_… [--file PATH=FILE]… [--tensor ONNX-PATH:NAME=FILE]… [--input-nanos N] [--output-nanos N]`;

export type CatalogCommand =
  | { readonly kind: "models" }
  | { readonly kind: "publish"; readonly model: string; readonly folder: string; readonly variant: string; readonly draft: boolean; readonly about: Omit<RevisionCreate, "variants"> }
  | { readonly kind: "import"; readonly model: string; readonly body: object }
  | { readonly kind: "revisions" | "rollback" | "grants"; readonly model: string }
  | { readonly kind: "grant"; readonly model: string; readonly tenant: string; readonly body: object }
  | { readonly kind: "revoke"; readonly model: string; readonly tenant: string }
  | { readonly kind: "derive"; readonly model: string; readonly tenant: string; readonly derivation: Derivation };

type Text = string | undefined;

export interface CatalogValues {
  readonly tenant?: Text;
  readonly folder?: Text;
  readonly task?: Text;
  readonly measure?: Text;
  readonly "run-tokens"?: Text;
  readonly variant: string;
  readonly licence?: Text;
  readonly "input-nanos": string;
  readonly "output-nanos": string;
  readonly draft: boolean;
  readonly source?: Text;
  readonly variants?: Text;
  readonly revision?: Text;
  readonly follow?: boolean | undefined;
  readonly base?: Text;
  readonly file?: readonly string[] | undefined;
  readonly tensor?: readonly string[] | undefined;
}

export function parseCatalog([kind, name, ...more]: readonly string[], values: CatalogValues): CatalogCommand {
  if (more.length > 0) throw new Error(`What is "${more.join(" ")}"?`);
  if (kind === "models") return { kind };
  const model = () => checked(modelId.safeParse(name), "the model's name");
  const tenant = () => checked(tenantId.safeParse(values.tenant), "--tenant");
  switch (kind) {
    case "publish":
      return { kind, model: model(), folder: needed(values.folder, "--folder"), variant: values.variant, draft: values.draft, about: aboutOf(values) };
    case "import":
      return { kind, model: model(), body: importOf(values) };
    case "revisions":
    case "rollback":
    case "grants":
      return { kind, model: model() };
    case "grant":
      return { kind, model: model(), tenant: tenant(), body: { ...(values.revision && { revision: values.revision }), ...(values.follow !== undefined && { follow: values.follow }) } };
    case "revoke":
      return { kind, model: model(), tenant: tenant() };
    case "derive":
      return { kind, model: model(), tenant: tenant(), derivation: derivationOf(values) };
    default:
      throw new Error(kind === undefined ? "Say what to do." : `There is no command "${kind}".`);
  }
}

interface Checked<T> {
  readonly success: boolean;
  readonly data?: T;
  readonly error?: { readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[] };
}

function checked<T>({ success, data, error }: Checked<T>, what: string): T {
  if (!success) throw new Error(`${what}: ${error?.issues.map((issue) => [...issue.path.map(String), issue.message].join(": ")).join("; ")}`);
  return data as T;
}

function needed(text: Text, what: string): string {
  if (!text) throw new Error(`${what} is missing.`);
  return text;
}

function numberOf(text: string, what: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Error(`${what} is a whole number, not "${text}".`);
  return Number(text);
}

const pricesOf = (values: CatalogValues): Prices => ({ input_nanos_per_token: numberOf(values["input-nanos"], "--input-nanos"), output_nanos_per_token: numberOf(values["output-nanos"], "--output-nanos") });

/** Checked with a stand-in for its files, which are read when it is published. */
function aboutOf(values: CatalogValues): Omit<RevisionCreate, "variants"> {
  const usage = values["run-tokens"] === undefined ? { measure: values.measure ?? "text-tokens" } : { measure: "per-run", tokens: numberOf(values["run-tokens"], "--run-tokens") };
  const nothing = { sha256: "0".repeat(64), size: 1 };
  const stated = { task: needed(values.task, "--task"), usage, prices: pricesOf(values), ...(values.licence && { licence: values.licence }) };
  const { variants: _, ...about } = checked(revisionCreate.safeParse({ ...stated, variants: [{ id: values.variant, files: [{ path: "x", ...nothing, chunks: [nothing] }] }] }), "publish");
  return about;
}

function importOf(values: CatalogValues): object {
  const body = { source: needed(values.source, "--source"), variants: needed(values.variants, "--variants").split(","), ...(values.revision && { revision: values.revision }), ...(values.licence && { licence: values.licence }), ...(values.draft && { stage: "draft" }), prices: pricesOf(values) };
  return checked(importCreate.safeParse(body), "import");
}

function derivationOf(values: CatalogValues): Derivation {
  const base = checked(derivationCreate.shape.base.safeParse(pairOf(needed(values.base, "--base"), "@", "--base is MODEL@rev_…", ["model", "revision"])), "--base");
  const files = (values.file ?? []).map((text) => pairOf(text, "=", "--file is PATH=FILE", ["path", "source"]));
  const tensors = (values.tensor ?? []).map((text) => {
    const { place, source } = pairOf(text, "=", "--tensor is ONNX-PATH:NAME=FILE", ["place", "source"]);
    return { ...pairOf(place, ":", "--tensor is ONNX-PATH:NAME=FILE", ["path", "name"]), source };
  });
  if (files.length + tensors.length === 0) throw new Error("--file or --tensor is missing: what is the tenant's own?");
  return { base, files, tensors, prices: pricesOf(values) };
}

/** The two sides of the first mark; names of tensors may have `=` and `:` in them, paths of models neither. */
function pairOf<Left extends string, Right extends string>(text: string, mark: string, form: string, [left, right]: readonly [Left, Right]): Record<Left | Right, string> {
  const at = mark === "=" ? text.lastIndexOf(mark) : text.indexOf(mark);
  if (at <= 0 || at === text.length - 1) throw new Error(`${form}, not "${text}".`);
  return { [left]: text.slice(0, at), [right]: text.slice(at + 1) } as Record<Left | Right, string>;
}
