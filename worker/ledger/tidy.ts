/**
 * Forgets what nobody will ask for again, so that a tenant's object does not grow for ever (it may have 10 GB).
 *
 * - Leases with their reports: 7 days after they fell due; D1 has the records for good.
 * - Windows of users, keys and egress: after 40 days; the tenant's own: after 400. Answers to idempotency keys: after
 *   their day. Told alerts and deliveries: as their books say.
 * - Keys: 90 days after they were revoked or ended. Sums by day and user (`usage_daily`) are kept: they are what bills are
 *   checked against.
 * - A bounded piece at a time, with alarms that are due anyway, at most once a minute: an idle object is not woken for it,
 *   and a busy one is not held up by it.
 */
import type { Chore, Room } from "./room.ts";
import { sortableId } from "../../schema/contract/ids.ts";

const EVERY_MS = 60_000;
const DAY_MS = 86_400_000;
const KEEP_LEASES_MS = 7 * DAY_MS;
const KEEP_WINDOWS_MS = 40 * DAY_MS;
const KEEP_TENANT_WINDOWS_MS = 400 * DAY_MS;
/** Longer than all that names a key: its leases, its windows, answers to idempotency keys. */
const KEEP_DEAD_KEYS_MS = 90 * DAY_MS;
/** Rows of one kind in one piece. */
const PIECE = 5_000;

export function tidyChore(room: Room): Chore {
  let nextAt = 0;
  let nextWindowsAt = 0;
  let idempotencyFrom = "";
  const { store, tenant } = room;

  const leases = (now: number) => {
    // Ids sort by when their leases fall due.
    const before = `ls_${tenant}_${sortableId(now - KEEP_LEASES_MS, (bytes) => bytes.fill(0))}`;
    const last = store.first<{ id: string | null }>("SELECT max(id) AS id FROM (SELECT id FROM leases WHERE id < ? ORDER BY id LIMIT ?)", before, PIECE)?.id;
    if (!last) return;
    store.run("DELETE FROM reports WHERE lease_id <= ?", last);
    store.run("DELETE FROM leases WHERE id <= ? AND state <> 'active'", last);
  };

  const idempotency = (now: number) => {
    const last = store.first<{ id: string | null; n: number }>("SELECT max(id) AS id, count(*) AS n FROM (SELECT id FROM idempotency WHERE id > ? ORDER BY id LIMIT ?)", idempotencyFrom, PIECE);
    if (last?.id) store.run("DELETE FROM idempotency WHERE id > ? AND id <= ? AND expires_at <= ?", idempotencyFrom, last.id, now);
    idempotencyFrom = last?.id && last.n === PIECE ? last.id : "";
  };

  const dayBefore = (now: number, ms: number) => new Date(now - ms).toISOString().slice(0, 10);
  const windows = (now: number) => {
    if (now < nextWindowsAt) return;
    nextWindowsAt = now + DAY_MS / 4;
    room.books.postings.forget(dayBefore(now, KEEP_WINDOWS_MS), dayBefore(now, KEEP_TENANT_WINDOWS_MS));
    room.keys.forget(now - KEEP_DEAD_KEYS_MS);
    room.webhooks.forgetOld(now);
    room.alerts.forgetOld(now);
  };

  return {
    name: "tidy",
    nextAt: () => null,
    run: (now) => {
      if (now < nextAt) return;
      nextAt = now + EVERY_MS;
      room.transact(() => {
        leases(now);
        room.passes.lapse(now);
        idempotency(now);
        windows(now);
      });
    },
  };
}
