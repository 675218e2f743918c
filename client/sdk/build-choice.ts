/**
 * Which build of each model this page takes.
 *
 * - One for WebGPU that does not start here, or not again, is passed over from then on, where another fits and nobody asked for that one
 *   or for WebGPU by name: a browser's GPU may promise more than it does.
 */
import { LeaseholdError, type ClientCode } from "../errors.ts";
import type { Manifest, Variant } from "../../schema/contract/models.ts";
import { modelBudget } from "../runtime/memory-budget.ts";
import { namedVariant, pickVariant, type VariantWish } from "./variants.ts";

/** Faults that another build may not have. */
const PASSED_OVER: ReadonlySet<string> = new Set<ClientCode>(["backend-unavailable", "runtime-crashed"]);

export class BuildChoice {
  readonly #wish: VariantWish;
  /** By model: what was wrong with WebGPU. */
  readonly #withoutGpu = new Map<string, string>();

  /** `poolBytes`: where the page says how much the pool may take. */
  constructor({ backend, variant, poolBytes }: Pick<VariantWish, "backend" | "variant"> & { readonly poolBytes?: number | undefined }) {
    this.#wish = { backend, variant, mostBytes: modelBudget(navigator, poolBytes) };
  }

  of(manifest: Manifest): Promise<Variant> {
    return pickVariant(manifest, this.#withoutGpu.has(manifest.model) ? this.#onWasm : this.#wish);
  }

  get #onWasm(): VariantWish {
    return { backend: "wasm", mostBytes: this.#wish.mostBytes };
  }

  /** Why the model is not to run on WebGPU. */
  gpuFault({ model }: Manifest): string | undefined {
    return this.#withoutGpu.get(model);
  }

  /** The build of this id has failed so (without it, the one that `of` gives). Says whether `of` gives another from now on. */
  async passOver(manifest: Manifest, error: unknown, id?: string): Promise<boolean> {
    const { backend, variant } = this.#wish;
    if (!(error instanceof LeaseholdError) || !PASSED_OVER.has(error.code) || backend !== "auto" || variant !== undefined) return false;
    const failed = id === undefined ? await this.of(manifest) : namedVariant(manifest, id);
    if (failed.requires.backend !== "webgpu") return false;
    const another = await pickVariant(manifest, this.#onWasm).catch(() => null); // then the failure is what there is to tell
    if (another) this.#withoutGpu.set(manifest.model, error.message.replace(/\.$/, ""));
    return another !== null;
  }
}
