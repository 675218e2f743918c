/** What a page imports as `leasehold/ai-sdk`. */
export { leaseholdModels, type LeaseholdModels, type ModelSource } from "./provider.ts";
