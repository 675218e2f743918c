import { describe, expect, test } from "vitest";
import { OPERATOR_STATEMENTS, faultOfPlan, faultOfText } from "../../support/d1-witness.ts";

const fault = (sql: string, ...values: unknown[]) => faultOfText({ sql, values });

describe("the witness lets pass", () => {
  test.each([
    [`select "at" from "audit_events" where ("audit_events"."tenant_id" = ? and "audit_events"."seq" > ?) limit ?`, ["acme", 0, 5]],
    ["SELECT seq FROM audit_events WHERE seq > ?2 AND tenant_id = ?1", ["acme", 7]],
    ["INSERT INTO audit_events (tenant_id, seq) SELECT ?1, value ->> '$.seq' FROM json_each(?2) WHERE true ON CONFLICT (tenant_id, seq) DO NOTHING", ["acme", "[]"]],
    ["INSERT INTO tenants (tenant_id, profile) VALUES (?1, ?2)", ["acme", "{}"]],
    ["DELETE FROM audit_events WHERE tenant_id = ?1", ["acme"]],
    ["WITH RECURSIVE near(low) AS (SELECT 1 UNION ALL SELECT (SELECT seq FROM audit_events WHERE tenant_id = ?1 AND seq = low + 1) FROM near) SELECT low FROM near", ["acme"]],
    ["SELECT 1", []],
    [OPERATOR_STATEMENTS["list tenants"] as string, ["", 50]],
  ])("%s", (sql, values) => expect(fault(sql, ...values)).toBeNull());
});

describe("the witness finds", () => {
  test.each([
    ["a read of all rows", "SELECT * FROM audit_events", []],
    ["a read by another column", "SELECT * FROM audit_events WHERE seq = ?", [1]],
    ["a tenant that is written into the text", "SELECT * FROM audit_events WHERE tenant_id = 'acme'", []],
    ["one of two tables without its tenant", "SELECT * FROM audit_events a JOIN cost_records c ON c.seq = a.seq WHERE a.tenant_id = ?", ["acme"]],
    ["two tenants in one statement", "SELECT * FROM audit_events WHERE tenant_id = ? OR tenant_id = ?", ["acme", "globex"]],
    ["a value that is no tenant's id", "SELECT * FROM audit_events WHERE tenant_id = ?", [null]],
    ["a deletion of all rows", "DELETE FROM cost_records", []],
    ["a change of all rows", "UPDATE usage_daily SET calls = 0 WHERE day = ?", ["2026-11-22"]],
    ["an insert that names no tenant", "INSERT INTO audit_events (seq, at) VALUES (?, ?)", [1, 2]],
    ["an insert whose tenant comes from the rows", "INSERT INTO audit_events (tenant_id, seq) SELECT value ->> '$.t', value ->> '$.s' FROM json_each(?1)", ["[]"]],
    ["a statement of another kind", "DROP TABLE audit_events", []],
  ])("%s", (_, sql, values) => expect(fault(sql, ...values)).not.toBeNull());

  test("a table that SQLite opens otherwise than by its tenant, whatever the text says", () => {
    const sql = "SELECT * FROM audit_events AS a WHERE tenant_id = ?1 OR seq = ?2";
    expect(fault(sql, "acme", 1)).toBeNull();
    expect(faultOfPlan(["SCAN a"], sql)).toContain("SCAN a");
    expect(faultOfPlan(["SEARCH a USING PRIMARY KEY (tenant_id=? AND seq>?)", "USE TEMP B-TREE FOR ORDER BY"], sql)).toBeNull();
  });
});
