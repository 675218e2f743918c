/**
 * What the SDK keeps for one tenant in this browser besides weights: an IndexedDB database of its own, so that dropping
 * the cache costs no key.
 *
 * - Rejects where IndexedDB is refused, or another tab with older code holds the database for too long.
 */
import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { ProofKey } from "../../schema/contract/dpop-proof.ts";
import { inTime } from "../cache/in-time.ts";
import type { OfflineRecord } from "./offline-record.ts";

interface DrawerSchema extends DBSchema {
  keys: { key: "dpop"; value: ProofKey };
  offline: { key: string; value: OfflineRecord };
}

export type Drawer = IDBPDatabase<DrawerSchema>;

const VERSION = 2;

export async function openDrawer(tenant: string): Promise<Drawer> {
  return inTime(
    openDB<DrawerSchema>(`leasehold-desk/${tenant}`, VERSION, {
      upgrade(db, before) {
        if (before < 1) db.createObjectStore("keys");
        if (before < 2) db.createObjectStore("offline", { keyPath: "lease_id" });
      },
      blocking(_current, _blocked, event) {
        (event.target as IDBDatabase).close(); // newer code in another tab waits for it
      },
    }),
  );
}
