/**
 * Which models leave, so that another may come. Pure.
 *
 * - The least recently used leaves first, and no more leave than must. What is pinned or at work never does.
 * - A model larger than the whole budget is let in alone: the budget is a guess, the device knows.
 * - Where pinned models leave too little, the answer is "full"; where those at work do, "wait": they will end.
 */

/** A model that takes memory: loading, or loaded. */
export interface Resident {
  readonly model: string;
  readonly bytes: number;
  /** By any clock that only goes forward. */
  readonly usedAt: number;
  readonly isPinned: boolean;
  /** Loads, runs, or is waited for. */
  readonly isBusy: boolean;
}

export type Admission = { readonly kind: "come"; readonly leave: readonly string[] } | { readonly kind: "wait" } | { readonly kind: "full" };

export function decideAdmission(residents: readonly Resident[], bytes: number, budgetBytes: number): Admission {
  const fits = (staying: readonly Resident[]) => staying.length === 0 || sum(staying) + bytes <= budgetBytes;
  const leavable = residents.filter(({ isPinned, isBusy }) => !isPinned && !isBusy).sort((a, b) => a.usedAt - b.usedAt);
  for (let count = 0; count <= leavable.length; count++) {
    const leaving = new Set(leavable.slice(0, count));
    if (fits(residents.filter((resident) => !leaving.has(resident)))) return { kind: "come", leave: [...leaving].map(({ model }) => model) };
  }
  return fits(residents.filter(({ isPinned }) => isPinned)) ? { kind: "wait" } : { kind: "full" };
}

/** What a tenant's pool may take of a device. `deviceGigabytes`: what the browser admits to; null where it says nothing. */
export function budgetOf(deviceGigabytes: number | null): number {
  return Math.min(4, Math.max(0.5, (deviceGigabytes ?? 4) / 4)) * 1024 ** 3;
}

/** What a variant takes once loaded: as it says, or its weights and as much again to work with. */
export function memoryOf({ requires, files }: { readonly requires: { readonly memory_bytes?: number | undefined }; readonly files: readonly { readonly size: number }[] }): number {
  return requires.memory_bytes ?? 2 * files.reduce((total, { size }) => total + size, 0);
}

const sum = (residents: readonly Resident[]) => residents.reduce((total, { bytes }) => total + bytes, 0);
