/** A part of a model's files that misses its SHA-256, after its seal had vouched for it: who had the key put it there. */
import { LeaseholdError } from "../../errors.ts";

export class PartFault extends LeaseholdError {
  constructor(message = "A part of the model in this browser's cache is not what it should be.") {
    super("weights-corrupt", message);
  }
}
