/** Hours, counted in UTC since the epoch: what metrics are kept by. */
export const HOUR_MS = 3_600_000;

export const hourOf = (at: number): number => Math.floor(at / HOUR_MS);
