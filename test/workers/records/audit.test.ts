import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { MOST_READ } from "../../../worker/tenants/audit-records.ts";
import { api, expectStatus } from "../../support/api.ts";
import { clock } from "../../support/clock.ts";
import { heard } from "../../support/d1-tap.ts";
import { type TestTenant, askLease, getLease, publishTinyModel, readyTenant, report } from "../../support/tenant.ts";

const time = clock();

const audit = async (tenant: TestTenant, query = "") => expectStatus(await api.get(`/v1/tenants/${tenant.id}/audit${query}`, { key: tenant.reader }), 200).json;
const exported = async (tenant: TestTenant, query = "") => {
  const answer = expectStatus(await api.get(`/v1/tenants/${tenant.id}/audit/export${query}`, { key: tenant.reader }), 200);
  return { headers: answer.headers, events: answer.text.split("\n").filter(Boolean).map((line) => JSON.parse(line)) };
};
const actions = (page: { data: { action: string }[] }) => page.data.map(({ action }) => action);

describe("the list", () => {
  let tenant: TestTenant;
  let all: { seq: number; action: string; user: string | null; model: string | null; request_id: string | null; at: string }[];

  beforeAll(async () => {
    tenant = await readyTenant({ daily_token_limit: 5_000 });
    await publishTinyModel(tenant, { model: "other", fill: 9 });
    for (let i = 0; i < 12; i++) {
      const lease = await getLease(tenant, { user: `user-${i % 3}`, model: i % 4 === 0 ? "other" : "tiny" }, { headers: { "x-request-id": `ask-${i}` } });
      if (i % 2 === 0) await report(lease, { request_id: `run-${i}`, input_tokens: 3, output_tokens: 2 });
    }
    await askLease(tenant, { tokens: 1_000_000 });
    await api.put(`/v1/tenants/${tenant.id}/policy`, { key: tenant.admin, body: { daily_token_limit: 4_000 } });
    all = (await audit(tenant, "?limit=200")).data;
  });

  test("holds every event from provisioning on, without a gap, oldest first", () => {
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1));
    expect(all[0]?.action).toBe("TENANT_PROVISIONED");
    expect(new Set(actions({ data: all }))).toEqual(new Set(["TENANT_PROVISIONED", "KEY_CREATED", "MODEL_PUBLISHED", "LEASE_GRANTED", "INFERENCE_EXECUTED", "LEASE_DENIED", "POLICY_CHANGED"]));
  });

  test.each([
    ["?action=LEASE_GRANTED", (event: { action: string }) => event.action === "LEASE_GRANTED"],
    ["?action=KEY_CREATED", (event: { action: string }) => event.action === "KEY_CREATED"],
    ["?action=INFERENCE_EXECUTED&user=user-2", (event: { action: string; user: string }) => event.action === "INFERENCE_EXECUTED" && event.user === "user-2"],
    ["?user=user-1", (event: { user: string }) => event.user === "user-1"],
    ["?user=nobody", () => false],
    ["?model=other", (event: { model: string }) => event.model === "other"],
    ["?request_id=ask-3", (event: { request_id: string }) => event.request_id === "ask-3"],
    ["?request_id=run-4&model=other", (event: { request_id: string }) => event.request_id === "run-4"],
  ])("%s finds exactly what it names, in both orders, in pages of any size, and in the export", async (query, wanted) => {
    const expected = all.filter((event) => (wanted as (event: unknown) => boolean)(event));
    expect((await audit(tenant, `${query}&limit=200`)).data).toEqual(expected);
    expect((await audit(tenant, `${query}&limit=200&order=desc`)).data).toEqual(expected.toReversed());
    expect((await exported(tenant, query)).events).toEqual(expected);
    const paged: unknown[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: { data: unknown[]; next_cursor: string | null } = await audit(tenant, `${query}&limit=3&order=desc${cursor && `&cursor=${cursor}`}`);
      paged.push(...page.data);
      cursor = page.next_cursor;
    }
    expect(paged).toEqual(expected.toReversed());
  });

  test("a call is found by the id of its header and by that of its body, in its own tenant alone", async () => {
    const own = await readyTenant();
    const named = (id: string) => ({ headers: { "x-request-id": id } });
    const lease = await getLease(own, { request_id: "body-1" }, named("head-1"));
    await report(lease, { request_id: "body-2" }, named("head-2"));
    const unnamed = await askLease(own, { request_id: "body-3" });
    expect(unnamed.headers.get("x-request-id")).toBe("body-3");
    const found = async (id: string, more = "") => (await audit(own, `?request_id=${id}${more}`)).data.map(({ action, request_id, details }: { action: string; request_id: string; details: { call_request_id?: string } }) => [action, request_id, details.call_request_id]);
    for (const id of ["head-1", "body-1"]) expect(await found(id)).toEqual([["LEASE_GRANTED", "body-1", "head-1"]]);
    for (const id of ["head-2", "body-2"]) expect(await found(id, "&order=desc&action=INFERENCE_EXECUTED")).toEqual([["INFERENCE_EXECUTED", "body-2", "head-2"]]);
    expect(await found("body-3")).toEqual([["LEASE_GRANTED", "body-3", undefined]]);
    expect((await audit(tenant, "?request_id=head-1")).data).toEqual([]);
  });

  test("the export is NDJSON of all there is, to be kept in a file", async () => {
    const { events, headers } = await exported(tenant);
    expect(events).toEqual(all);
    expect(headers.get("content-type")).toBe("application/x-ndjson");
    expect(headers.get("content-disposition")).toBe(`attachment; filename="audit-${tenant.id}.ndjson"`);
  });

  test.each([
    ["?user=user-1", "audit_events_user"],
    ["?request_id=ask-3", "audit_events_request"],
    ["?request_id=ask-3&order=desc", "audit_events_call"],
    ["?action=POLICY_CHANGED", "audit_events_rare"],
    ["?since=2026-01-01T00:00:00Z", "PRIMARY KEY"],
    ["?action=LEASE_GRANTED&order=desc", "PRIMARY KEY"],
  ])("%s is answered from %s, without sorting", async (query, index) => {
    heard.clear();
    await audit(tenant, query);
    const { sql, values } = [...heard.values()].findLast((statement) => statement.sql.includes("audit_events")) as { sql: string; values: unknown[] };
    const { results } = await env.DB.prepare(`EXPLAIN QUERY PLAN ${sql}`).bind(...values).all<{ detail: string }>();
    const plan = results.map(({ detail }) => detail).join("; ");
    expect(plan).toContain(index);
    expect(plan).not.toContain("TEMP B-TREE");
  });

  test.each(["?action=NOTHING", "?since=yesterday", "?cursor=x", "?order=up", "?limit=0", "?limit=201"])("%s is refused", async (query) => {
    const answer = await api.get(`/v1/tenants/${tenant.id}/audit${query}`, { key: tenant.reader });
    expect([answer.status, answer.code]).toEqual([400, "invalid-request"]);
  });
});

test("what no index leads to is read in parts: nothing is missed, in either order, and a page may be empty", async () => {
  const tenant = await readyTenant();
  await publishTinyModel(tenant, { model: "other", fill: 9 });
  const { next_cursor: _, ...before } = await audit(tenant, "?limit=200");
  const last = before.data.length;
  // As many as two pages read, of another model, and one more of this one behind them.
  const added = `WITH RECURSIVE n(value) AS (SELECT ?2 + 1 UNION ALL SELECT value + 1 FROM n WHERE value <= ?2 + ?3)
    INSERT INTO audit_events SELECT ?1, value, 0, 'LEASE_GRANTED', 'key_1', NULL, iif(value > ?2 + ?3, 'other', 'tiny'), NULL, '{}', '', '' FROM n`;
  await env.DB.prepare(added).bind(tenant.id, last, 2 * MOST_READ).run();
  const seqs = (events: { seq: number }[]) => events.map(({ seq }) => seq);
  const wanted = [...seqs(before.data.filter(({ model }: { model: string | null }) => model === "other")), last + 2 * MOST_READ + 1];
  for (const order of ["asc", "desc"]) {
    const pages: number[][] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: { data: { seq: number }[]; next_cursor: string | null } = await audit(tenant, `?model=other&order=${order}${cursor && `&cursor=${cursor}`}`);
      pages.push(seqs(page.data));
      cursor = page.next_cursor;
    }
    expect([pages.flat(), pages.length, pages.filter((page) => page.length === 0).length]).toEqual([order === "asc" ? wanted : wanted.toReversed(), 3, 1]);
  }
  expect(seqs((await exported(tenant, "?model=other")).events)).toEqual(wanted);
});

describe("time", () => {
  test("since is included, until is not, whatever stands at the instants around them", async () => {
    time.set("2026-11-22T10:00:00Z");
    const tenant = await readyTenant();
    const hours: string[] = [];
    for (let hour = 11; hour < 16; hour++) {
      time.set(`2026-11-22T${hour}:00:00Z`);
      for (let i = 0; i < 3; i++) hours.push((await getLease(tenant, {}, { headers: { "x-request-id": `at-${hour}-${i}` } })).lease_id);
    }
    const all = (await audit(tenant, "?limit=200")).data as { at: string }[];
    for (const since of [null, "2026-11-22T09:00:00Z", "2026-11-22T12:00:00Z", "2026-11-22T12:00:00.001Z", "2026-11-22T15:00:00Z", "2026-11-23T00:00:00Z"]) {
      for (const until of [null, "2026-11-22T09:00:00Z", "2026-11-22T13:00:00Z", "2026-11-22T13:30:00Z", "2026-11-23T00:00:00Z"]) {
        const wanted = all.filter(({ at }) => (since === null || Date.parse(at) >= Date.parse(since)) && (until === null || Date.parse(at) < Date.parse(until)));
        const query = `?limit=200${since ? `&since=${since}` : ""}${until ? `&until=${until}` : ""}`;
        expect((await audit(tenant, query)).data, query).toEqual(wanted);
        expect((await exported(tenant, query.replace("limit=200&", "").replace("?limit=200", ""))).events, query).toEqual(wanted);
      }
    }
  });

  test("a clock that goes back does not take the chain with it", async () => {
    time.set("2026-11-22T10:00:00Z");
    const tenant = await readyTenant();
    time.set("2026-11-22T09:00:00Z");
    await getLease(tenant);
    const page = await audit(tenant, "?action=LEASE_GRANTED");
    expect(page.data[0].at).toBe("2026-11-22T10:00:00Z");
  });
});

test("a long export is streamed in pages, and ends with what there was when it was asked for", async () => {
  const tenant = await readyTenant();
  await Promise.all(Array.from({ length: 520 }, () => getLease(tenant)));
  const { events } = await exported(tenant);
  const stored = await env.DB.prepare("SELECT count(*) AS n FROM audit_events WHERE tenant_id = ?").bind(tenant.id).first<{ n: number }>();
  expect(events.length).toBe(stored?.n);
  expect(events.length).toBeGreaterThan(520);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
});

test("a row that somebody altered hides no other: it is listed and exported as far as it can be read", async () => {
  const tenant = await readyTenant();
  const whole = (await audit(tenant)).data;
  for (const [details, at] of [["{torn", 1e300], ["[1]", -1e300], ["", "then"]] as const) {
    await env.DB.prepare("UPDATE audit_events SET details = ?2, at = ?3 WHERE tenant_id = ?1 AND seq = 3").bind(tenant.id, details, at).run();
    const listed = (await audit(tenant)).data;
    expect(listed[2]).toMatchObject({ seq: 3, at: "1970-01-01T00:00:00Z", details: { unreadable: details } });
    expect([...listed.slice(0, 2), ...listed.slice(3)]).toEqual([...whole.slice(0, 2), ...whole.slice(3)]);
    expect((await exported(tenant)).events).toEqual(listed);
    expect((await api.get(`/v1/tenants/${tenant.id}/audit/verify`, { key: tenant.reader })).json).toMatchObject({ valid: false, broken_at: 3, reason: "event-altered" });
  }
});
