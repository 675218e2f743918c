/** What stands in D1, read from the SQLite file that miniflare keeps: no code of the control plane is between. */
import { globSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

export interface InferenceRow {
  readonly seq: number;
  readonly user_id: string | null;
  readonly model: string | null;
}

export interface CostRow extends InferenceRow {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly calls: number;
  readonly cost_nanos: number;
  readonly backend: string | null;
}

export const inferencesInD1 = (stateDir: string, tenant: string) =>
  rows<InferenceRow>(stateDir, "SELECT seq, user_id, model FROM audit_events WHERE tenant_id = ? AND action = 'INFERENCE_EXECUTED' ORDER BY seq", tenant);

export const costsInD1 = (stateDir: string, tenant: string) =>
  rows<CostRow>(stateDir, "SELECT seq, user_id, model, input_tokens, output_tokens, calls, cost_nanos, backend FROM cost_records WHERE tenant_id = ? ORDER BY seq", tenant);

function rows<T>(stateDir: string, sql: string, tenant: string): T[] {
  const files = globSync("v3/d1/*/*.sqlite", { cwd: stateDir }).filter((path) => !path.endsWith("metadata.sqlite"));
  for (const path of files) {
    const database = new DatabaseSync(join(stateDir, path), { readOnly: true, timeout: 5_000 });
    try {
      if (!database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'cost_records'").get()) continue;
      return database.prepare(sql).all(tenant) as T[];
    } finally {
      database.close();
    }
  }
  throw new Error(`No D1 database with the table cost_records under ${stateDir}.`);
}
