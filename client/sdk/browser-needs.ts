/** What the SDK can't do without, and browsers before March 2024 lack; or any, where the person has switched it off. */
import { LeaseholdError } from "../errors.ts";

const NEEDS: Readonly<Record<string, () => boolean>> = {
  WebAssembly: () => typeof WebAssembly !== "undefined", // not in Safari's Lockdown Mode
  "AbortSignal.any": () => "any" in AbortSignal,
  "Promise.withResolvers": () => "withResolvers" in Promise,
};

export function requireBrowser(): void {
  const missing = Object.keys(NEEDS).filter((name) => NEEDS[name]?.() === false);
  if (missing.length > 0) throw new LeaseholdError("backend-unavailable", `The model can't run in this browser: it lacks ${missing.join(" and ")}. A current browser has what it takes.`);
}
