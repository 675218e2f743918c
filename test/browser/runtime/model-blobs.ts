/** A small model's files as a runtime takes them. */
import type { StoredFile } from "../../../client/runtime/protocol.ts";
import type { SmallModel } from "../../support/small-models.ts";

export const filesOf = (model: SmallModel): StoredFile[] => Object.entries(model).map(([path, bytes]) => ({ path, blob: new Blob([bytes.slice()]) }));
