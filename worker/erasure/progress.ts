/**
 * How far the erasure of this object's tenant is: one row of its own table. While it runs it stands beside the tenant's
 * tables; when all else of the object is gone it is the tombstone.
 */
import type { Erasure, ErasedInventory, ErasureStep } from "../../schema/contract/erasure.ts";
import { toTimestamp } from "../../schema/contract/amounts.ts";
import type { RequestId, TenantId } from "../../schema/contract/ids.ts";
import type { ChainHead } from "../ledger/audit-chain.ts";
import type { Store } from "../ledger/store.ts";
import type { IsolationLevel } from "../tenants/credential.ts";

export const erasedId = (tenant: string) => `The tenant ${tenant} was erased, and its id is never given again. Choose another id.`;

export interface Progress {
  readonly tenant: TenantId;
  readonly isolation: IsolationLevel;
  readonly requestId: RequestId;
  readonly startedAt: number;
  readonly auditHead: ChainHead;
  /** Null: done. */
  readonly step: ErasureStep | null;
  readonly failures: number;
  readonly inventory: ErasedInventory | null;
  readonly certificate: string | null;
  readonly finishedAt: number | null;
  /** When what came late was swept up after the end. */
  readonly sweptAt: number | null;
}

export function readProgress(store: Store): Progress | null {
  if (store.first("SELECT 1 AS one FROM sqlite_master WHERE type = 'table' AND name = 'erasure'") === null) return null;
  const row = store.first<{ progress: string }>("SELECT progress FROM erasure WHERE id = 1");
  return row && (JSON.parse(row.progress) as Progress);
}

export function writeProgress(store: Store, progress: Progress): Progress {
  store.run("CREATE TABLE IF NOT EXISTS erasure (id INTEGER PRIMARY KEY CHECK (id = 1), progress TEXT NOT NULL)");
  store.run("INSERT INTO erasure (id, progress) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET progress = excluded.progress", JSON.stringify(progress));
  return progress;
}

/** The erasure as the API shows it. */
export function toErasure(progress: Progress): Erasure {
  const done = progress.step === null;
  return {
    tenant: progress.tenant,
    state: done ? "done" : "running",
    step: progress.step,
    started_at: toTimestamp(progress.startedAt),
    finished_at: progress.finishedAt === null ? null : toTimestamp(progress.finishedAt),
    failures: progress.failures,
    certificate: done ? progress.certificate : null,
    erased: done ? progress.inventory : null,
  };
}
