/**
 * The least that a lease may cost. Pure.
 *
 * - Two floors: the operator's for all models of the tenant, and what the operator itself stated for this model. Neither
 *   is the tenant's to change, so that a limit in money binds the tenant's own admin too.
 * - A floor raises each component of a price for itself, and lowers none.
 */
import type { Prices } from "../../schema/contract/models.ts";
import type { PriceFloor } from "../../schema/contract/prices.ts";

/** `prices` where no floor reaches above it: what was stated is shown as it was stated. */
export function raised(prices: Prices, ...floors: readonly (Prices | PriceFloor | null)[]): Prices {
  return floors.reduce<Prices>((low, floor) => (floor === null || !isUnder(low, floor) ? low : higher(low, floor)), prices);
}

const callOf = ({ call_nanos = 0 }: Prices) => call_nanos;

const isUnder = (prices: Prices, floor: Prices) =>
  prices.input_nanos_per_token < floor.input_nanos_per_token || prices.output_nanos_per_token < floor.output_nanos_per_token || callOf(prices) < callOf(floor);

const higher = (a: Prices, b: Prices): Prices => ({
  input_nanos_per_token: Math.max(a.input_nanos_per_token, b.input_nanos_per_token),
  output_nanos_per_token: Math.max(a.output_nanos_per_token, b.output_nanos_per_token),
  call_nanos: Math.max(callOf(a), callOf(b)),
});
