/** Rows of `usage_daily`, the same in D1 and in the tenant object. */

export interface DayKey {
  readonly day: string;
  readonly model: string;
  /** Empty text where no user was named. */
  readonly user_id: string;
}

export interface UsageDailyRow extends DayKey {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly unreported_tokens: number;
  readonly calls: number;
  readonly cost_nanos: number;
  readonly version: number;
}

/** Before every key. */
export const FIRST_KEY: DayKey = { day: "", model: "", user_id: "" };
