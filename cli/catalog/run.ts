/** Does a command of the catalogue; gives what the API answered. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { holder } from "../../schema/contract/catalog.ts";
import { modelId, revisionId } from "../../schema/contract/ids.ts";
import { modelImport } from "../../schema/contract/imports.ts";
import { model } from "../../schema/contract/models.ts";
import { page } from "../../schema/contract/records.ts";
import { modelRevision } from "../../schema/contract/rollout.ts";
import type { Api } from "../api.ts";
import { type SourceFile, deriveModel, draftInCatalog, publishToCatalog } from "../publish.ts";
import type { CatalogCommand } from "./commands.ts";

export async function runCatalog(api: Api, command: CatalogCommand, say: (text: string) => void): Promise<unknown> {
  const onProgress = (sent: number, total: number) => say(`${sent} of ${total} bytes sent`);
  switch (command.kind) {
    case "models":
      return pages(api, "/v1/catalog/models", model);
    case "publish": {
      const files = await filesOf(command.folder);
      const send = command.draft ? draftInCatalog : publishToCatalog;
      return send(api, command.model, { ...command.about, variants: [{ id: command.variant, files }] }, { onProgress });
    }
    case "import":
      return followImport(api, await api.post(`/v1/catalog/models/${command.model}/import`, command.body, modelImport), say);
    case "revisions":
      return pages(api, `/v1/catalog/models/${command.model}/revisions`, modelRevision);
    case "rollback":
      return api.post(`/v1/catalog/models/${command.model}/rollback`, {}, model);
    case "grants":
      return pages(api, `/v1/catalog/models/${command.model}/grants`, holder);
    case "grant":
      return api.put(`/v1/tenants/${command.tenant}/catalog/${command.model}`, command.body, model);
    case "revoke":
      return api.delete(`/v1/tenants/${command.tenant}/catalog/${command.model}`, z.object({ model: modelId, revisions: z.array(revisionId) }));
    case "derive":
      return deriveModel(api, command.tenant, command.model, command.derivation, { onProgress });
  }
}

async function pages<T>(api: Api, path: string, item: z.ZodType<T>): Promise<T[]> {
  const all: T[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const one: { data: T[]; next_cursor: string | null } = await api.get(`${path}?limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`, page(item));
    all.push(...one.data);
    cursor = one.next_cursor;
  }
  return all;
}

/** Every file of the folder, by its path from there. */
async function filesOf(folder: string): Promise<SourceFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => ({ source: join(entry.parentPath, entry.name) }));
  if (files.length === 0) throw new Error(`There is no file in ${folder}.`);
  return files.map(({ source }) => ({ source, path: source.slice(join(folder, "/").length).replaceAll("\\", "/") })).sort((a, b) => (a.path < b.path ? -1 : 1));
}

const ASK_MS = 1_000;

/** Until it ends; one that failed is thrown. Ending this program ends nothing of it. */
async function followImport(api: Api, begun: z.infer<typeof modelImport>, say: (text: string) => void): Promise<unknown> {
  for (let now = begun; ; now = await api.get(`/v1/catalog/imports/${begun.id}`, modelImport)) {
    say(`${now.state}: ${now.bytes_done} of ${now.bytes_total} bytes`);
    if (now.state === "done") return now;
    if (now.state === "failed" || now.state === "cancelled") throw new Error(`The import ${now.state}: ${now.fault?.detail ?? "somebody cancelled it"}`);
    await new Promise((resolve) => setTimeout(resolve, ASK_MS));
  }
}
