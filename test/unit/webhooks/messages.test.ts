import { expect, test } from "vitest";
import { AUDIT_ACTIONS } from "../../../schema/contract/records.ts";
import { WEBHOOK_EVENT_NAMES } from "../../../schema/contract/webhooks.ts";
import { messageOf } from "../../../worker/webhooks/messages.ts";

const entry = { seq: 42, at: Date.parse("2026-11-22T10:00:00Z"), actor: "key_1", user: null, model: null, details: {} };

test("a message says what its audit event says, and bears its id", () => {
  const message = messageOf("acme", { ...entry, action: "MODEL_PUBLISHED", model: "ocr", details: { revision: "rev_1" } });
  expect(message).toMatchObject({ id: "evt_acme_42", type: "model.published" });
  expect(JSON.parse(message?.body ?? "")).toEqual({ type: "model.published", timestamp: "2026-11-22T10:00:00Z", data: { tenant: "acme", actor: "key_1", model: "ocr", revision: "rev_1" } });
});

test("every event that can be subscribed to is made of some action, and most actions of none", () => {
  const types = AUDIT_ACTIONS.map((action) => messageOf("acme", { ...entry, action, details: { count: 100 } })?.type ?? null);
  expect([...new Set(types)].filter((type) => type !== null).sort()).toEqual([...WEBHOOK_EVENT_NAMES].sort());
});

test.each([[99, null], [100, "anomaly.denials"], [5_000, "anomaly.denials"], [1, null]])("%d denials of a reason within a minute: %s", (count, type) => {
  expect(messageOf("acme", { ...entry, action: "LEASE_DENIED", details: { reason: "daily-quota-exceeded", count } })?.type ?? null).toBe(type);
});
