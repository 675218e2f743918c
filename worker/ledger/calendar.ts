/**
 * Days and months of a tenant's time zone. Pure; what was found for a zone is remembered, as finding it asks the
 * calendar some fifty times and every grant needs it.
 *
 * - A day is named `YYYY-MM-DD`, a month `YYYY-MM`, as the tenant's calendar shows them.
 * - A day lasts from local midnight to local midnight: 23 or 25 hours where the clocks change. Where midnight does not
 *   exist (clocks jump over it), the day starts at the first instant that bears its date.
 */

export type DayName = string;

const formats = new Map<string, Intl.DateTimeFormat>();

function dateFormat(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
    formats.set(timeZone, format);
  }
  return format;
}

/** The date that a calendar in `timeZone` shows at `now` (milliseconds since the epoch). */
export function dayAt(now: number, timeZone: string): DayName {
  return timeZone === "UTC" ? new Date(now).toISOString().slice(0, 10) : dateFormat(timeZone).format(now);
}

export const monthOf = (day: DayName): string => day.slice(0, 7);

const HOUR = 3_600_000;

/** The first instant after `now` at which `name(instant)` differs from `name(now)`, found to the millisecond. */
function nextChange(now: number, name: (at: number) => string, stepMs: number): number {
  const current = name(now);
  let same = now;
  let other = now + stepMs;
  while (name(other) === current) {
    same = other;
    other += stepMs;
  }
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2);
    if (name(middle) === current) same = middle;
    else other = middle;
  }
  return other;
}

/** An interval within one day or month of a zone, to its end. */
interface Span {
  readonly since: number;
  readonly until: number;
}

function remembered(spans: Map<string, Span>, now: number, timeZone: string, find: () => number): number {
  const span = spans.get(timeZone);
  if (span && span.since <= now && now < span.until) return span.until;
  const until = find();
  spans.set(timeZone, { since: now, until });
  return until;
}

const days = new Map<string, Span>();
const months = new Map<string, Span>();

/** When the day that `now` falls in ends, in milliseconds since the epoch. */
export function dayEndsAt(now: number, timeZone: string): number {
  return remembered(days, now, timeZone, () => nextChange(now, (at) => dayAt(at, timeZone), 6 * HOUR));
}

/** When the month that `now` falls in ends, in milliseconds since the epoch. */
export function monthEndsAt(now: number, timeZone: string): number {
  return remembered(months, now, timeZone, () => nextChange(now, (at) => monthOf(dayAt(at, timeZone)), 24 * HOUR));
}
