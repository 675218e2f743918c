/**
 * Which revision of a model a page opens: the one in force in its cache where all of that is there, else the one that the
 * control plane pins now.
 *
 * - A manifest's text counts only where it hashes to its digest, wherever it lay.
 */
import type { ModelId, Sha256 } from "../../schema/contract/ids.ts";
import type { Manifest } from "../../schema/contract/models.ts";
import { sha256Hex } from "../cache/digest.ts";
import { isStored } from "../cache/fetch-model.ts";
import { cacheModeOf } from "../cache/keeping.ts";
import type { ModelStore } from "../cache/model-store.ts";
import type { BuildChoice } from "./build-choice.ts";
import type { LeaseDesk } from "./lease-desk.ts";
import type { Revision } from "./model-load.ts";
import { parseManifest, type WeightsSource } from "./weights.ts";

export interface RevisionsOptions {
  readonly tenant: string;
  readonly desk: LeaseDesk;
  readonly store: Promise<ModelStore>;
}

export class Revisions {
  readonly #options: RevisionsOptions;
  readonly #builds: BuildChoice;

  constructor(options: RevisionsOptions, builds: BuildChoice) {
    this.#options = options;
    this.#builds = builds;
  }

  /** The revision in force in the cache, where all of it is there. */
  async cached(model: string, source: WeightsSource, lease: Promise<void> | undefined): Promise<Revision | null> {
    const { desk, tenant } = this.#options;
    const store = await this.#options.store;
    const digest = await store.revision(model as ModelId);
    const text = digest && (await this.#storedText(digest));
    if (!digest || !text) return null;
    const manifest = parseManifest(text, tenant, model);
    source.keepTo(manifest.revision);
    if (cacheModeOf(manifest) === "encrypted" && !lease && !desk.hasContentKey) void source.lease().catch(() => undefined); // its key is waited for later
    if (await this.isAtHand(manifest)) return { digest, manifest, isAtHand: true };
    source.keepTo(null);
    await source.end();
    return null;
  }

  /** The revision that the control plane pins now. */
  async due(model: string, source: WeightsSource): Promise<Revision> {
    const store = await this.#options.store;
    const digest = (await source.lease()).grant.model.manifest_sha256;
    const text = (await this.#storedText(digest)) ?? (await source.manifestText());
    const manifest = parseManifest(text, this.#options.tenant, model);
    await store.keepManifest(digest, text);
    return { digest, manifest, isAtHand: await this.isAtHand(manifest) };
  }

  /** Of the build that this page takes. */
  async isAtHand(manifest: Manifest): Promise<boolean> {
    return isStored(await this.#builds.of(manifest), await this.#options.store);
  }

  async #storedText(digest: Sha256): Promise<string | null> {
    const text = await (await this.#options.store).manifest(digest);
    return text !== null && (await sha256Hex(new TextEncoder().encode(text))) === digest ? text : null;
  }
}
