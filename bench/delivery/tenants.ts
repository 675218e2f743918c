/** A tenant for each way to keep weights, with the OCR model and the model of text. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { apiAt } from "../../cli/api.ts";
import type { ControlPlane } from "../../cli/control-plane/start.ts";
import { ocrPublication } from "../../cli/demo/ocr-model.ts";
import { publishModel } from "../../cli/publish.ts";
import type { CacheMode } from "../../schema/contract/models.ts";
import { keyCreated, tenant as tenantShape, tenantCreate } from "../../schema/contract/tenants.ts";

export interface BenchTenant {
  readonly id: string;
  readonly admin: string;
  readonly publishable: string;
}

const PRICES = { input_nanos_per_token: 10, output_nanos_per_token: 10 };
const TEXT_FILES = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "onnx/model_q4.onnx"];

export async function makeTenant(plane: ControlPlane, origin: string, id: string): Promise<BenchTenant> {
  const operator = apiAt(plane.url, plane.operatorKey);
  await operator.post("/v1/tenants", tenantCreate.parse({ id, name: id }), tenantShape);
  const { key: admin } = await operator.post(`/v1/tenants/${id}/keys`, { type: "secret", name: "admin", scopes: ["admin"] }, keyCreated);
  const { key: publishable } = await apiAt(plane.url, admin).post(`/v1/tenants/${id}/keys`, { type: "publishable", name: "site", origins: [origin] }, keyCreated);
  return { id, admin, publishable };
}

export async function publishText(plane: ControlPlane, { id, admin }: BenchTenant, cache: CacheMode, folder: string): Promise<void> {
  const files = TEXT_FILES.map((path) => ({ path, source: join(folder, path) }));
  await publishModel(apiAt(plane.url, admin), id, "text", { task: "text-generation", usage: { measure: "text-tokens" }, prices: PRICES, cache, variants: [{ id: "q4", files }] });
}

/** `dictionary`: in place of the one that comes with the model. */
export async function publishOcr(plane: ControlPlane, { id, admin }: BenchTenant, cache: CacheMode, dictionary?: string): Promise<void> {
  const publication = ocrPublication(PRICES);
  const variants = publication.variants.map((variant) => ({
    ...variant,
    files: variant.files.map((file) => (dictionary !== undefined && file.path === "keys.txt" ? { ...file, source: dictionary } : file)),
  }));
  await publishModel(apiAt(plane.url, admin), id, "ocr", { ...publication, cache, variants });
}

/** As good, and another file: two signs that no receipt has change places. */
export async function otherDictionary(home: string): Promise<string> {
  const file = ocrPublication(PRICES).variants[0]?.files.find(({ path }) => path === "keys.txt");
  const [one, two, ...rest] = (await readFile(file?.source ?? "", "utf8")).split("\n");
  const path = join(home, "keys.txt");
  await writeFile(path, [two, one, ...rest].join("\n"));
  return path;
}
