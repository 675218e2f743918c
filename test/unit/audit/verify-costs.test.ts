import { describe, expect, test } from "vitest";
import { faultsOfDays } from "../../../worker/audit/verify-costs.ts";
import type { UsageDailyRow } from "../../../worker/tenants/usage-rows.ts";

const row = (version: number, tokens: number, user_id = "ann"): UsageDailyRow => ({ day: "2026-11-22", model: "tiny", user_id, input_tokens: tokens, output_tokens: 0, unreported_tokens: 0, calls: 1, cost_nanos: tokens, version });
const kinds = (before: readonly UsageDailyRow[], stored: readonly UsageDailyRow[], after: readonly UsageDailyRow[], sent = 10) => faultsOfDays({ rows: before, sent }, stored, after).map(({ kind }) => kind);

describe("a sum in D1 against the ledger's before and after", () => {
  test.each<[string, UsageDailyRow[], UsageDailyRow[], UsageDailyRow[], string[]]>([
    ["as it was and is", [row(5, 50)], [row(5, 50)], [row(5, 50)], []],
    ["gone on with the ledger", [row(5, 50)], [row(8, 80)], [row(8, 80)], []],
    ["behind a ledger that went on", [row(5, 50)], [row(5, 50)], [row(8, 80)], []],
    ["between the two", [row(5, 50)], [row(7, 60)], [row(8, 80)], []],
    ["new since", [], [row(8, 80)], [row(8, 80)], []],
    ["not there yet", [row(11, 50)], [], [row(11, 50)], []],
    ["older than what was not sent yet", [row(11, 50)], [row(4, 20)], [row(11, 50)], []],
    ["gone", [row(5, 50)], [], [row(5, 50)], ["day-missing"]],
    ["never known", [], [row(5, 50)], [], ["day-surplus"]],
    ["less than before", [row(5, 50)], [row(7, 49)], [row(8, 80)], ["day-altered"]],
    ["more than after", [row(5, 50)], [row(7, 81)], [row(8, 80)], ["day-altered"]],
    ["another at the same version", [row(5, 50)], [row(5, 51)], [row(5, 50)], ["day-altered"]],
    ["another at the version before", [row(5, 50)], [row(5, 51)], [row(8, 80)], ["day-altered"]],
    ["of an older version", [row(5, 50)], [row(4, 50)], [row(5, 50)], ["day-altered"]],
    ["of a newer version than the ledger's", [row(5, 50)], [row(9, 50)], [row(8, 80)], ["day-altered"]],
    ["of another user", [row(5, 50)], [row(5, 50, "bob")], [row(5, 50)], ["day-surplus", "day-missing"]],
  ])("%s", (_, before, stored, after, expected) => {
    expect(kinds(before, stored, after)).toEqual(expected);
  });
});
