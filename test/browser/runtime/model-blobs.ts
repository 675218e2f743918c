/** A small model's files as a runtime takes them. */
import type { RuntimeFile } from "../../../client/runtime/host.ts";
import type { SmallModel } from "../../support/small-models.ts";

export const filesOf = (model: SmallModel): RuntimeFile[] => Object.entries(model).map(([path, bytes]) => ({ path, blob: new Blob([bytes.slice()]) }));
