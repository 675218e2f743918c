/**
 * Where a tenant object lives: anywhere, or in a jurisdiction of the platform.
 *
 * A credential names its tenant, not where that is, and the same name is another object in each jurisdiction. So the
 * object of that name without a jurisdiction is asked first: it is the tenant, or it holds a signpost, one row that says
 * in which jurisdiction the tenant is, or there is no such tenant. What a signpost says never changes, so an isolate
 * asks once and remembers. A tenant without a jurisdiction costs no call more.
 *
 * A signpost tells that the id is taken and where; all else of the tenant is in its jurisdiction.
 */
import { type Jurisdiction, isJurisdiction } from "../../schema/contract/region.ts";

export type Home = "anywhere" | Jurisdiction;

/** What an object without a jurisdiction answers where the tenant is elsewhere. */
export interface Signpost {
  readonly movedTo: Home;
}

export const isSignpost = (answer: unknown): answer is Signpost => typeof answer === "object" && answer !== null && "movedTo" in answer;

/** The region that a tenant is provisioned with decides; any other text than a jurisdiction's name is a label alone. */
export const homeOfRegion = (region: string): Home => (isJurisdiction(region) ? region : "anywhere");
