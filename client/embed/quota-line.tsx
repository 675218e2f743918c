/** What is left, and until when. Nothing where nothing limits. */
import type { QuotaWindow } from "../sdk/quota.ts";
import type { WidgetQuota } from "../widget/protocol.ts";

const SPAN: Record<QuotaWindow, string> = {
  daily_token_limit: "Left today",
  per_user_daily_tokens: "Left for you today",
  monthly_token_limit: "Left this month",
};

export function QuotaLine({ quota: { remaining, limit, window } }: { quota: WidgetQuota }) {
  if (remaining === null || limit === null || window === null) return null;
  const share = limit === 0 ? 0 : Math.min(1, remaining / limit);
  return (
    <p class="quota" data-testid="quota">
      <span class="gauge" aria-hidden="true">
        <span style={{ width: `${share * 100}%` }} />
      </span>
      {SPAN[window]}: {remaining.toLocaleString()} of {limit.toLocaleString()} tokens
    </p>
  );
}
