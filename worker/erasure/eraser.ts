/**
 * Erases the tenant of this object, step by step, from the alarm.
 *
 * - Each step may be interrupted anywhere and is done again: it deletes what is there, and what is gone stays gone.
 * - What there was is counted before anything is deleted: an interruption in mid-deletion makes no count smaller.
 * - The certificate is signed after nothing was found any more, kept here, archived, and only then does the object
 *   forget all else. An id without its tombstone is still refused by the archive.
 * - A step that fails is tried again after a pause, for ever: the erasure does not end half-way. So is the late sweep:
 *   its alarm never throws, and an object that wakes before it is done sets it anew.
 */
import { type ErasedInventory, ERASURE_STEPS, type ErasureStep } from "../../schema/contract/erasure.ts";
import { toTimestamp } from "../../schema/contract/amounts.ts";
import { type Env, settingsOf } from "../env.ts";
import type { Call, Room } from "../ledger/room.ts";
import type { Store } from "../ledger/store.ts";
import { lagBoard } from "../metrics/lag-board.ts";
import { objectAt } from "../tenants/reach.ts";
import { makeCatalog } from "../catalog/catalog.ts";
import { CATALOG } from "../catalog/catalog-id.ts";
import { TenantBlobs } from "../tenants/blobs.ts";
import { type Verified, asVerified } from "../tenants/credential.ts";
import { archiveCertificate } from "./archive.ts";
import { signCertificate } from "./certificate.ts";
import { type Progress, readProgress, writeProgress } from "./progress.ts";
import { TenantRows } from "./tenant-rows.ts";

const RETRY_MS = [1_000, 5_000, 30_000, 300_000] as const;
/** An upload that was under way when the erasure began may still land in the bucket. */
const LATE_SWEEP_MS = 10 * 60_000;

type Changes = Partial<Pick<Progress, "inventory" | "certificate">>;

export class Eraser {
  readonly #storage: DurableObjectStorage;
  readonly #store: Store;
  readonly #env: Env;
  #progress: Progress;

  constructor(storage: DurableObjectStorage, store: Store, env: Env, progress: Progress) {
    this.#storage = storage;
    this.#store = store;
    this.#env = env;
    this.#progress = progress;
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** Sees that the alarm comes soon, where there is something left to do: at the beginning, and whenever the object wakes. */
  async rearm(): Promise<void> {
    const now = Date.now();
    const at = await this.#storage.getAlarm();
    if (this.#progress.step === null) {
      if (this.#progress.sweptAt === null && at === null) await this.#storage.setAlarm(Math.max(now, this.#lateSweepAt));
    } else if (at === null || at > now) await this.#storage.setAlarm(now);
  }

  /** All steps that are left, until one fails. Never throws. */
  async advance(): Promise<void> {
    if (this.#progress.step === null) return this.#sweepLate();
    while (this.#progress.step !== null) {
      const { step } = this.#progress;
      try {
        await this.#take(step);
      } catch (cause) {
        const failures = this.#progress.failures + 1;
        console.error(JSON.stringify({ level: "error", message: "a step of an erasure failed; it is tried again", tenant: this.#progress.tenant, step, failures, error: String(cause) }));
        await this.#failed(failures);
        return;
      }
    }
  }

  async #failed(failures: number): Promise<void> {
    this.#write({ failures });
    await this.#storage.setAlarm(Date.now() + (RETRY_MS[Math.min(failures, RETRY_MS.length) - 1] as number));
  }

  async #take(step: ErasureStep): Promise<void> {
    if (step === "forget") return this.#forget();
    const changes = await this.#work[step]();
    const next = changes === "again" ? "rows" : (ERASURE_STEPS[ERASURE_STEPS.indexOf(step) + 1] as ErasureStep);
    this.#write({ ...(changes === "again" ? {} : changes), step: next, failures: 0 });
  }

  readonly #work: Record<Exclude<ErasureStep, "forget">, () => Promise<Changes | "again">> = {
    inventory: async () => ({ inventory: await this.#inventory() }),
    rows: async () => {
      await this.#rows.fence(this.#progress.startedAt);
      await this.#rows.deleteAll();
      await lagBoard(this.#env).hasCaughtUp(this.#progress.tenant);
      await makeCatalog(this.#env, this.#progress.requestId);
      await objectAt(this.#env, CATALOG, "anywhere").ask("lending", "forget", [this.#progress.tenant, this.#progress.requestId]);
      return {};
    },
    objects: async () => {
      await this.#blobs.deleteEverything();
      return {};
    },
    check: async () => {
      const [rows, objects] = [await this.#rows.count(), await this.#blobs.inventory()];
      return Object.values(rows).some((n) => n > 0) || objects.count > 0 ? "again" : {};
    },
    certify: async () => {
      const { tenant, startedAt, requestId, inventory } = this.#progress;
      const claims = {
        sub: tenant, iat: Math.floor(Date.now() / 1000), started_at: toTimestamp(startedAt), request_id: requestId,
        erased: inventory as ErasedInventory, remaining: { records: 0 as const, objects: 0 as const },
      };
      return { certificate: await signCertificate(claims, settingsOf(this.#env)) };
    },
    archive: async () => {
      await archiveCertificate(this.#env, this.#progress.tenant, this.#progress.certificate as string);
      return {};
    },
  };

  async #forget(): Promise<void> {
    const done: Progress = { ...this.#progress, step: null, failures: 0, finishedAt: Date.now() };
    await this.#storage.deleteAll();
    this.#progress = writeProgress(this.#store, done);
    await this.#storage.setAlarm(Date.now() + LATE_SWEEP_MS);
  }

  async #sweepLate(): Promise<void> {
    if (this.#progress.sweptAt !== null) return;
    if (Date.now() < this.#lateSweepAt) return this.#storage.setAlarm(this.#lateSweepAt);
    try {
      const late = await this.#blobs.inventory();
      if (late.count > 0) {
        console.warn(JSON.stringify({ level: "warn", message: "objects of an erased tenant came late and were deleted", tenant: this.#progress.tenant, count: late.count }));
        await this.#blobs.deleteEverything();
      }
      this.#write({ sweptAt: Date.now(), failures: 0 });
    } catch (cause) {
      const failures = this.#progress.failures + 1;
      console.error(JSON.stringify({ level: "error", message: "the late sweep of an erasure failed; it is tried again", tenant: this.#progress.tenant, failures, error: String(cause) }));
      await this.#failed(failures);
    }
  }

  get #lateSweepAt(): number {
    return (this.#progress.finishedAt ?? 0) + LATE_SWEEP_MS;
  }

  async #inventory(): Promise<ErasedInventory> {
    const { auditHead } = this.#progress;
    const tables = this.#tables();
    return {
      object: { tables, audit_head: { seq: auditHead.seq, hash: auditHead.hash } },
      records: await this.#rows.count(),
      objects: await this.#blobs.inventory(),
      secrets: tables.secrets ?? 0,
      keys: tables.keys ?? 0,
    };
  }

  #tables(): Record<string, number> {
    const names = this.#store.all<{ name: string }>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT IN ('migrations', 'erasure') ORDER BY name",
    );
    return Object.fromEntries(names.map(({ name }) => [name, this.#store.first<{ n: number }>(`SELECT count(*) AS n FROM "${name}"`)?.n ?? 0]));
  }

  #write(changes: Partial<Progress>): void {
    this.#progress = writeProgress(this.#store, { ...this.#progress, ...changes });
  }

  get #self(): Verified {
    const { tenant, isolation } = this.#progress;
    return asVerified({ tenant, isolation, actor: "system", kind: "operator", keyId: null, leaseId: null });
  }

  get #rows(): TenantRows {
    return TenantRows.for(this.#self, this.#env);
  }

  get #blobs(): TenantBlobs {
    return TenantBlobs.for(this.#self, this.#env);
  }
}

/** Writes the last event of the tenant's chain, and that its erasure has begun. From then on only the eraser acts. */
export function beginErasure(room: Room, storage: DurableObjectStorage, call: Call): Eraser {
  const now = Date.now();
  const progress = room.transact(() => {
    room.log(now, { action: "ERASURE_STARTED", actor: "operator", requestId: call.requestId, details: {} });
    return writeProgress(room.store, {
      tenant: room.tenant, isolation: room.isolation, requestId: call.requestId, startedAt: now, auditHead: room.ring.newest,
      step: "inventory", failures: 0, inventory: null, certificate: null, finishedAt: null, sweptAt: null,
    });
  });
  return new Eraser(storage, room.store, room.env, progress);
}

/** The erasure that this object is in, or has behind it; null where it has none. */
export function eraserOf(storage: DurableObjectStorage, store: Store, env: Env): Eraser | null {
  const progress = readProgress(store);
  return progress && new Eraser(storage, store, env, progress);
}
