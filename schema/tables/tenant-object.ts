/**
 * The SQLite database of one tenant object, as numbered migrations. The object applies what it lacks when it wakes;
 * an object that was never provisioned has no tables at all.
 *
 * - Amounts are INTEGER (safe integers: the contract refuses larger ones); instants are milliseconds since the epoch.
 * - `windows` has one row a day and scope: `t` the tenant, `u:<user>`, `k:<key>` (tokens and nano-dollars), `e` egress (bytes,
 *   posted alone). Months are sums over their days.
 * - `leases.hold − reported` is what an active lease still holds; a resolved lease holds nothing. What a window has held
 *   is mirrored from the leases in memory; the table has what was posted.
 * - The instant in a lease's id is when it falls due, so that what is due and what is not yet lie together in the table
 *   without an index. All leases before `lease_floor` are resolved.
 * - `outbox` is a ring of 4,096 slots that are written over, never emptied: an event costs one written row, not an
 *   insert and a deletion. Slots above the ring hold what an outage of D1 piles up, and are emptied (worker/ledger/outbox-ring.ts).
 * - `audit_head` is the last event that D1 has; the chain's own head is the newest slot after it.
 * - `folded` is the last event that `usage_daily` and `sketches` count.
 */
export const TENANT_OBJECT_MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE config (id INTEGER PRIMARY KEY CHECK (id = 1), tenant TEXT NOT NULL, policy TEXT NOT NULL, policy_ceiling TEXT NOT NULL);
  CREATE TABLE keys (
    id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, type TEXT NOT NULL, name TEXT NOT NULL, hint TEXT NOT NULL,
    scopes TEXT NOT NULL, origins TEXT NOT NULL, limits TEXT NOT NULL,
    created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER
  ) WITHOUT ROWID;
  CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, size INTEGER NOT NULL, stored_at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE revisions (
    model TEXT NOT NULL, revision TEXT NOT NULL, manifest_sha256 TEXT NOT NULL, facts TEXT NOT NULL,
    created_at INTEGER NOT NULL, published_at INTEGER, PRIMARY KEY (model, revision)
  ) WITHOUT ROWID;
  CREATE TABLE models (model TEXT PRIMARY KEY, revision TEXT NOT NULL, published_at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE windows (
    scope TEXT NOT NULL, day TEXT NOT NULL,
    held INTEGER NOT NULL DEFAULT 0, posted INTEGER NOT NULL DEFAULT 0,
    held_nanos INTEGER NOT NULL DEFAULT 0, posted_nanos INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (scope, day)
  ) WITHOUT ROWID;
  CREATE TABLE leases (
    id TEXT PRIMARY KEY, state TEXT NOT NULL, purpose TEXT NOT NULL, key_id TEXT NOT NULL, user_id TEXT,
    model TEXT NOT NULL, revision TEXT NOT NULL, manifest_sha256 TEXT NOT NULL, prices TEXT NOT NULL, request_id TEXT, metadata TEXT NOT NULL,
    day TEXT NOT NULL, hold INTEGER NOT NULL, hold_nanos INTEGER NOT NULL,
    reported INTEGER NOT NULL DEFAULT 0, charged INTEGER NOT NULL DEFAULT 0, cost_nanos INTEGER NOT NULL DEFAULT 0,
    calls INTEGER NOT NULL DEFAULT 0, reports INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, resolved_at INTEGER
  ) WITHOUT ROWID;
  CREATE INDEX leases_active ON leases (expires_at) WHERE state = 'active';
  CREATE TABLE reports (lease_id TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, answer TEXT NOT NULL, PRIMARY KEY (lease_id, seq)) WITHOUT ROWID;
  CREATE TABLE usage_daily (
    day TEXT NOT NULL, model TEXT NOT NULL, user_id TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, unreported_tokens INTEGER NOT NULL,
    calls INTEGER NOT NULL, cost_nanos INTEGER NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (day, model, user_id)
  ) WITHOUT ROWID;
  CREATE TABLE idempotency (id TEXT PRIMARY KEY, body_sha256 TEXT NOT NULL, answer TEXT NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE audit_head (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL);
  CREATE TABLE outbox (seq INTEGER PRIMARY KEY, record TEXT NOT NULL);
  `,
  // Rotation of keys: `lineage` is the first key of a line, whose limits all keys of the line share.
  `
  ALTER TABLE keys ADD COLUMN lineage TEXT;
  ALTER TABLE keys ADD COLUMN rotated_to TEXT;
  ALTER TABLE keys ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;
  `,
  // `material`: what the tenant was given at its making, by name (`content-key`). `data_key`: wrapped by the master key.
  `
  CREATE TABLE material (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE data_key (id INTEGER PRIMARY KEY CHECK (id = 1), master_key TEXT NOT NULL, box TEXT NOT NULL, wrapped_at INTEGER NOT NULL);
  CREATE TABLE secrets (
    name TEXT PRIMARY KEY, version INTEGER NOT NULL, box TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, last_used_at INTEGER
  ) WITHOUT ROWID;
  `,
  // What each revision may be read of, so that one call decides and counts a delivery; storage that uploads in progress hold.
  `
  CREATE TABLE chunks (
    model TEXT NOT NULL, revision TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (model, revision, sha256)
  ) WITHOUT ROWID;
  CREATE TABLE uploads (sha256 TEXT PRIMARY KEY, size INTEGER NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID;
  `,
  // Offline leases are reported after their end: a lease is due when its reports are.
  `
  ALTER TABLE leases ADD COLUMN reports_until INTEGER NOT NULL DEFAULT 0;
  UPDATE leases SET reports_until = expires_at;
  DROP INDEX leases_active;
  CREATE INDEX leases_active ON leases (reports_until) WHERE state = 'active';
  `,
  // The outbox as a ring; the head of the chain is no row of its own any more; heads that were signed.
  `
  ALTER TABLE outbox RENAME TO outbox_before;
  ALTER TABLE audit_head RENAME TO audit_head_before;
  CREATE TABLE outbox (slot INTEGER PRIMARY KEY, seq INTEGER NOT NULL, record TEXT NOT NULL);
  CREATE TABLE audit_head (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL, at INTEGER NOT NULL, folded INTEGER NOT NULL);
  CREATE TABLE signed_head (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL, at INTEGER NOT NULL, kid TEXT NOT NULL, sha256 TEXT NOT NULL);
  CREATE TABLE head_keys (kid TEXT PRIMARY KEY, x TEXT NOT NULL) WITHOUT ROWID;
  INSERT INTO outbox (slot, seq, record) SELECT 4096 + seq, seq, record FROM outbox_before;
  INSERT INTO audit_head (id, seq, hash, at, folded)
    SELECT 1, coalesce((SELECT min(seq) - 1 FROM outbox_before), seq), coalesce((SELECT record ->> '$.event.prevHash' FROM outbox_before ORDER BY seq LIMIT 1), hash), 0, seq
    FROM audit_head_before;
  DROP TABLE outbox_before;
  DROP TABLE audit_head_before;
  `,
  // Webhooks and what they are sent; which alerts were told.
  `
  CREATE TABLE webhooks (id TEXT PRIMARY KEY, url TEXT NOT NULL, events TEXT NOT NULL, secret_box TEXT NOT NULL, created_at INTEGER NOT NULL, disabled_at INTEGER) WITHOUT ROWID;
  CREATE TABLE deliveries (
    id TEXT PRIMARY KEY, webhook_id TEXT NOT NULL, event_id TEXT NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL,
    state TEXT NOT NULL, attempts TEXT NOT NULL, tries INTEGER NOT NULL, next_at INTEGER, created_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX deliveries_of ON deliveries (webhook_id, id);
  CREATE INDEX deliveries_due ON deliveries (next_at) WHERE next_at IS NOT NULL;
  CREATE TABLE alerts (scope TEXT NOT NULL, period TEXT NOT NULL, told INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (scope, period)) WITHOUT ROWID;
  `,
  // The price book; what is live brings its first entry.
  `
  CREATE TABLE prices (
    model TEXT NOT NULL, effective_at INTEGER NOT NULL, prices TEXT NOT NULL, revision TEXT, set_by TEXT NOT NULL, set_at INTEGER NOT NULL,
    PRIMARY KEY (model, effective_at)
  ) WITHOUT ROWID;
  INSERT INTO prices (model, effective_at, prices, revision, set_by, set_at)
    SELECT m.model, m.published_at, r.facts -> '$.prices', m.revision, 'system', m.published_at
    FROM models m JOIN revisions r ON r.model = m.model AND r.revision = m.revision;
  `,
  // Users whose ids the tenant's back end signs: the newest secret signs, the one before it may still be accepted.
  `
  ALTER TABLE keys ADD COLUMN require_signed_user INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE user_identity (version INTEGER PRIMARY KEY, box TEXT NOT NULL, created_at INTEGER NOT NULL, valid_until INTEGER);
  `,
  // Metrics: a row an hour and model, and one of all time (hour 0); what D1 has of them.
  `
  CREATE TABLE sketches (hour INTEGER NOT NULL, model TEXT NOT NULL, tally TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (hour, model)) WITHOUT ROWID;
  CREATE TABLE sketches_sent (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL);
  `,
  // What is held is the mirror of the leases that hold it; the place of a lease in the table is when it falls due.
  `
  ALTER TABLE windows DROP COLUMN held;
  ALTER TABLE windows DROP COLUMN held_nanos;
  DROP INDEX leases_active;
  CREATE TABLE lease_floor (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL);
  `,
  // What the operator itself stated of a model's prices: a floor that no entry of a tenant's admin writes over.
  `
  CREATE TABLE operator_prices (model TEXT NOT NULL, effective_at INTEGER NOT NULL, prices TEXT NOT NULL, PRIMARY KEY (model, effective_at)) WITHOUT ROWID;
  INSERT INTO operator_prices (model, effective_at, prices) SELECT model, effective_at, prices FROM prices WHERE set_by = 'operator';
  `,
  // Revisions that are not committed, with when they last got a blob; `dropping`: their manifest is yet to be deleted.
  `
  CREATE TABLE drafts (model TEXT NOT NULL, revision TEXT NOT NULL, touched_at INTEGER NOT NULL, dropping INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (model, revision)) WITHOUT ROWID;
  INSERT INTO drafts (model, revision, touched_at) SELECT model, revision, created_at FROM revisions WHERE published_at IS NULL;
  `,
  // Denials that are counted and not yet written to the audit, by reason.
  `
  CREATE TABLE denials (code TEXT PRIMARY KEY, since INTEGER NOT NULL, suppressed INTEGER NOT NULL) WITHOUT ROWID;
  `,
  // Egress that leases may be sent without asking again.
  `
  CREATE TABLE passes (id TEXT PRIMARY KEY, day TEXT NOT NULL, bytes INTEGER NOT NULL, lapses_at INTEGER NOT NULL) WITHOUT ROWID;
  `,
  // Imports from a hub: what was asked and where each is, its files, and the chunks of them that are stored.
  `
  CREATE TABLE imports (
    id TEXT PRIMARY KEY, model TEXT NOT NULL, ask TEXT NOT NULL, actor TEXT NOT NULL, request_id TEXT NOT NULL, state TEXT NOT NULL,
    commit_sha TEXT, plan TEXT, revision TEXT, fault TEXT, attempts INTEGER NOT NULL DEFAULT 0, error TEXT, next_at INTEGER,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE import_files (
    import_id TEXT NOT NULL, position INTEGER NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, stated_sha256 TEXT, stated_git TEXT, sha256 TEXT, mismatches INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (import_id, position)
  ) WITHOUT ROWID;
  CREATE TABLE import_chunks (
    import_id TEXT NOT NULL, position INTEGER NOT NULL, at INTEGER NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (import_id, position, at)
  ) WITHOUT ROWID;
  `,
  // Stages of revisions. `live_order`: of those that were live, the later the higher, unless they were rolled back from.
  // `granted_until`: of a replaced one, until when it is granted to who has it.
  `
  ALTER TABLE models ADD COLUMN canary TEXT;
  ALTER TABLE revisions ADD COLUMN stage TEXT NOT NULL DEFAULT 'draft';
  ALTER TABLE revisions ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE revisions ADD COLUMN percent INTEGER;
  ALTER TABLE revisions ADD COLUMN committed_at INTEGER;
  ALTER TABLE revisions ADD COLUMN live_order INTEGER;
  ALTER TABLE revisions ADD COLUMN granted_until INTEGER;
  UPDATE revisions SET since = created_at;
  UPDATE revisions SET stage = 'retired', since = published_at, committed_at = published_at, live_order = published_at WHERE published_at IS NOT NULL;
  UPDATE revisions SET stage = 'live' WHERE (model, revision) IN (SELECT model, revision FROM models);
  `,
  // Blobs that are to go, with when their deletion was sent; when to look for more. Deleted models, for whoever asks again.
  // `admission`: names one making of a draft, or of an upload. `dropping`: from when on its manifest's deletion is to be sent.
  `
  CREATE TABLE collecting (sha256 TEXT PRIMARY KEY, size INTEGER NOT NULL, asked_at INTEGER) WITHOUT ROWID;
  CREATE TABLE collection (id INTEGER PRIMARY KEY CHECK (id = 1), due_at INTEGER);
  INSERT INTO collection (id, due_at) VALUES (1, 0);
  CREATE TABLE deleted_models (model TEXT PRIMARY KEY, answer TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
  ALTER TABLE drafts ADD COLUMN admission TEXT NOT NULL DEFAULT '';
  ALTER TABLE uploads ADD COLUMN admission TEXT NOT NULL DEFAULT '';
  `,
  // What the operator's catalogue lends this tenant: revisions, and their chunks; and in the catalogue's own object, to whom.
  `
  CREATE TABLE lent (model TEXT NOT NULL, revision TEXT NOT NULL, manifest_sha256 TEXT NOT NULL, granted_at INTEGER NOT NULL, PRIMARY KEY (model, revision)) WITHOUT ROWID;
  CREATE TABLE lent_chunks (
    model TEXT NOT NULL, revision TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (model, revision, sha256)
  ) WITHOUT ROWID;
  CREATE TABLE holders (model TEXT NOT NULL, tenant TEXT NOT NULL, revision TEXT NOT NULL, granted_at INTEGER NOT NULL, PRIMARY KEY (model, tenant, revision)) WITHOUT ROWID;
  `,
  // Manifests count as stored; those that are there already are counted when the prefix is listed. When that is to be.
  `
  ALTER TABLE revisions ADD COLUMN manifest_bytes INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE drafts ADD COLUMN manifest_bytes INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE collection ADD COLUMN manifests_due_at INTEGER;
  ALTER TABLE collection ADD COLUMN manifests_again INTEGER NOT NULL DEFAULT 0;
  UPDATE collection SET manifests_due_at = 0 WHERE EXISTS (SELECT 1 FROM revisions) OR EXISTS (SELECT 1 FROM drafts) OR EXISTS (SELECT 1 FROM deleted_models);
  `,
  // How many calls a lease holds the price of.
  `
  ALTER TABLE leases ADD COLUMN hold_calls INTEGER NOT NULL DEFAULT 1;
  `,
  // Grants that follow what is live in the catalogue: in its own object who does, and in the tenant's which models.
  `
  CREATE TABLE followers (
    model TEXT NOT NULL, tenant TEXT NOT NULL, prices TEXT, given TEXT, next_at INTEGER, attempts INTEGER NOT NULL DEFAULT 0, error TEXT, PRIMARY KEY (model, tenant)
  ) WITHOUT ROWID;
  CREATE TABLE following (model TEXT PRIMARY KEY) WITHOUT ROWID;
  `,
  // Sessions of the console that were signed out of before their end.
  `
  CREATE TABLE ended_sessions (id TEXT PRIMARY KEY, ends_at INTEGER NOT NULL) WITHOUT ROWID;
  `,
  // What the catalogue gave while the tenant's own canary went on; and who is to be asked whether it follows still.
  `
  ALTER TABLE models ADD COLUMN waiting TEXT;
  ALTER TABLE followers ADD COLUMN doubted INTEGER NOT NULL DEFAULT 0;
  `,
];
