/** The daily limit is used up: what the person sees and what the API answers. */
import { policy, quota } from "../../schema/contract/policy.ts";
import { problem } from "../../schema/contract/problems.ts";
import { apiAt } from "../api.ts";
import { OCR_MODEL } from "../demo/ocr-model.ts";
import type { Bench } from "./bench.ts";
import { type Report, expectSame, expectTrue } from "./report.ts";
import { visit } from "./visit.ts";

export async function checkQuotaUsedUp({ plane, acme: { tenant, keys, site }, picture, profileDir }: Bench, report: Report): Promise<void> {
  const operator = apiAt(plane.url, plane.operatorKey);
  const { daily_token_limit: daily } = await operator.get(`/v1/tenants/${tenant.id}/quota`, quota);
  await operator.put(`/v1/tenants/${tenant.id}/policy`, { ...tenant.create.policy, daily_token_limit: daily.posted }, policy);
  const midnight = nextMidnight();

  await report.check("with the daily limit used up the API answers 429 daily-quota-exceeded with Retry-After", async () => {
    const response = await apiAt(plane.url, keys.backend).raw("/v1/leases", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: OCR_MODEL, tokens: 1, user: tenant.user }),
    });
    const said = problem.parse(await response.json());
    expectSame("the answer", [response.status, said.code, said.limit, said.remaining, said.resets_at], [429, "daily-quota-exceeded", daily.posted, 0, midnight]);
    const wait = Number(response.headers.get("retry-after"));
    expectTrue(`Retry-After is ${response.headers.get("retry-after")}`, Number.isInteger(wait) && wait > 0 && wait <= 86_400);
    return `Retry-After ${wait} s`;
  });

  await report.check("… and the widget says so, with the time of the reset", async () => {
    const third = await visit(site.url, profileDir);
    try {
      const refused = await third.readRefused(picture);
      expectSame("the code and the reset", [refused.code, refused.resets], ["daily-quota-exceeded", midnight]);
      expectTrue(`the words are: ${refused.words}`, refused.words.includes("Daily quota exceeded") && /\b00:00\b/.test(refused.words));
      return refused.words.split("\n").filter((line) => /exceeded|Resets/.test(line)).join(". ");
    } finally {
      await third.leave();
    }
  });
}

/** The demo's tenants count their days in UTC. */
function nextMidnight(): string {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + 1)).toISOString().replace(".000Z", "Z");
}
