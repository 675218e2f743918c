/**
 * Where a tenant is to be. A jurisdiction of the platform is a promise; any other region is a label alone. So that none is
 * taken for the other, a label that looks like a jurisdiction (`eu-west`, `europe`, `e-u`, `fedramp-high`) is refused, and
 * so is all that only looks like these letters (`EU`, other alphabets).
 */
import { z } from "zod";

export const JURISDICTIONS = ["eu", "fedramp"] as const;
export type Jurisdiction = (typeof JURISDICTIONS)[number];

export const isJurisdiction = (region: string): region is Jurisdiction => (JURISDICTIONS as readonly string[]).includes(region);

/** Beginnings of labels that say, or almost say, a jurisdiction. */
const MISTAKABLE = ["eu", "fed"];

const couldMislead = (region: string): boolean => !isJurisdiction(region) && MISTAKABLE.some((start) => region.replaceAll("-", "").startsWith(start));

export const region = z
  .string()
  .max(32)
  .regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, "lower-case letters, digits and single hyphens")
  .refine((name) => !couldMislead(name), `the jurisdictions are ${JURISDICTIONS.map((name) => `"${name}"`).join(" and ")}, exactly so; another region may not begin like one`);
