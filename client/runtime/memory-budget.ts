/**
 * How much memory one model may take here, by what the browser says of the device. Pure.
 *
 * - Half of what there is; browsers round it, and say at most 8 GB. Where they say nothing, a modest desktop is assumed.
 * - A phone's browser ends pages long before its memory is full.
 */
export interface DeviceHints {
  /** Gigabytes; Chromium only. */
  readonly deviceMemory?: number;
  readonly userAgent: string;
}

const PHONE = 450 * 1e6;
const UNKNOWN = 1.5e9;
const MOST = 3e9;

/** Where the page says how much its models may take, one may take that. */
export const modelBudget = (hints: DeviceHints, poolBytes = 0): number => Math.max(poolBytes, memoryBudget(hints));

export function memoryBudget({ deviceMemory, userAgent }: DeviceHints): number {
  if (/\b(Mobi|Android|iPhone|iPad)/.test(userAgent)) return PHONE;
  return deviceMemory === undefined ? UNKNOWN : Math.min(MOST, (deviceMemory * 1e9) / 2);
}
