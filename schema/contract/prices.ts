/**
 * The price book: what a model costs from when on, and the operator's floor under it. A lease costs what was in force
 * when it was granted, whatever changes while it runs.
 */
import { z } from "zod";
import { timestamp } from "./amounts.ts";
import { modelId, revisionId } from "./ids.ts";
import { prices } from "./models.ts";

export const priceCreate = z
  .strictObject({ ...prices.shape, effective_at: timestamp.optional().meta({ description: "Now, where it is left out; never in the past." }) })
  .meta({ id: "PriceCreate" });
export type PriceCreate = z.infer<typeof priceCreate>;

export const priceFloor = z
  .strictObject({
    input_nanos_per_token: prices.shape.input_nanos_per_token.default(0),
    output_nanos_per_token: prices.shape.output_nanos_per_token.default(0),
    call_nanos: prices.shape.input_nanos_per_token.default(0),
  })
  .meta({ id: "PriceFloor", description: "Nano-dollars that a lease of any model costs at least, whatever the price book says. Only the operator sets it." });
export type PriceFloor = z.infer<typeof priceFloor>;

export const priceEntry = z
  .object({
    model: modelId,
    ...prices.required().shape,
    effective: prices.required().meta({ description: "What a lease costs under this entry: the entry, each component raised to the operator's floors as they are now." }),
    effective_at: timestamp,
    in_force: z.boolean().meta({ description: "Whether a lease granted now costs this." }),
    source: z.enum(["revision", "set"]).meta({ description: "revision: came with a published revision." }),
    revision: revisionId.nullable(),
    set_by: z.string().meta({ description: "operator, or the id of the key." }),
    set_at: timestamp,
  })
  .meta({ id: "PriceEntry" });
export type PriceEntry = z.infer<typeof priceEntry>;
