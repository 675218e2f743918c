/** In a process without a disk for chunks: what memory has of them can be dropped. */
import { expect, it } from "vitest";
import { type FetchModelOptions, fetchModel } from "../../../client/cache/fetch-model.ts";
import { openModelStore } from "../../../client/cache/model-store.ts";
import { ControlPlane } from "../../../client/sdk/control-plane.ts";
import { FetchedInAll, filesOf } from "../../../client/sdk/files-of.ts";
import { LeaseDesk } from "../../../client/sdk/lease-desk.ts";
import { OfflineBook } from "../../../client/sdk/offline-book.ts";
import { WeightsSource } from "../../../client/sdk/weights.ts";
import { makeModel, PLAIN, sourceOf } from "../../browser/cache/made-model.ts";
import { unbound } from "./examples.ts";

it("a chunk that is fetched for a later worker was fetched for the model, and was not here", async () => {
  const api = new ControlPlane("http://127.0.0.1:9", unbound());
  const desk = new LeaseDesk({ api, publishableKey: "lh_pk_acme_x", user: undefined, metadata: undefined, likelyBackend: "wasm", offline: new OfflineBook("acme"), onQuota: () => undefined, onReportFailed: () => undefined });
  const source = new WeightsSource(api, desk, "made", "req_1", new AbortController().signal); // which is not asked for a lease
  const model = await makeModel({ "a.onnx": [3000, 5000] });
  const store = await openModelStore("acme");
  const options: FetchModelOptions = { ...model, keeping: PLAIN, store, fetchChunk: sourceOf(model).fetchChunk };
  await fetchModel(options);

  const inAll = new FetchedInAll();
  const files = filesOf(async () => inAll.add(await fetchModel(options)).files, async () => options, source, inAll);
  await files();
  expect(inAll.sums).toEqual({ cache: "hit", fetchedBytes: 0, cachedBytes: 8000 });
  for (const { sha256, size } of model.chunks) if (size === 3000) await store.dropChunk(sha256);
  await files();
  expect(inAll.sums).toEqual({ cache: "miss", fetchedBytes: 3000, cachedBytes: 5000 });
  store.close();
});
