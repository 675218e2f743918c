/** What a loader does of updates, where no worker is started: the weights' lease is asked for, and never comes. */
import { expect, it, vi } from "vitest";
import type { ModelStore } from "../../../client/cache/model-store.ts";
import { LeaseholdError } from "../../../client/errors.ts";
import { Pool } from "../../../client/pool/pool.ts";
import { ControlPlane } from "../../../client/sdk/control-plane.ts";
import { LeaseDesk } from "../../../client/sdk/lease-desk.ts";
import type { LoadedModel } from "../../../client/sdk/model-load.ts";
import { ModelLoader } from "../../../client/sdk/model-loader.ts";
import { OfflineBook } from "../../../client/sdk/offline-book.ts";
import { serve } from "../../support/scripted-server.ts";
import { unbound } from "./examples.ts";

function made(url: string) {
  const api = new ControlPlane(url, unbound());
  const desk = new LeaseDesk({ api, publishableKey: "lh_pk_acme_x", user: undefined, metadata: undefined, likelyBackend: "wasm", offline: new OfflineBook("acme"), onQuota: () => undefined, onReportFailed: () => undefined });
  const pool = new Pool({ budgetBytes: 100, idleMs: 1_000_000, unload: () => undefined });
  const told: unknown[] = [];
  const loader = new ModelLoader({
    tenant: "acme",
    backend: "auto",
    threads: undefined,
    api,
    desk,
    store: Promise.resolve({} as ModelStore), // of which nothing is asked before there is a lease
    pool,
    onUpdate: (update) => told.push(update),
    onUpdateFailed: (failure) => told.push(failure),
  });
  return { loader, pool, told };
}

/** One that runs. */
function running() {
  const close = vi.fn<() => void>();
  return { close, loaded: { runtime: { close }, bytes: 10 } as unknown as LoadedModel };
}

it("a model that fails for good is no longer updated: nothing is fetched beside what has left", async () => {
  await using server = await serve(() => undefined);
  const { loader, told } = made(server.url);
  const { loaded: broken, close } = running();
  loader.update("m", broken);
  await expect.poll(() => server.heard.length).toBe(1);
  await loader.failed("m", broken, new LeaseholdError("model-invalid", "no"));
  await expect.poll(() => close.mock.calls.length).toBe(1);
  expect(told).toEqual([]);
  loader.update("m", broken); // nothing is under way that it would wait for
  await expect.poll(() => server.heard.length).toBe(2);
  loader.unload("m");
});

it("what a replaced model took is given back when its last call is over, and nothing of what was loaded in its place", async () => {
  await using server = await serve(() => undefined);
  const { loader, pool } = made(server.url);
  for (const isAnew of [false, true]) {
    const { loaded: stale, close } = running();
    await pool.admit("m", 10);
    const over = loader.use(stale);
    loader.replace("m", stale).result.catch(() => undefined);
    if (isAnew) await pool.admit("m", 60);
    expect(close).not.toHaveBeenCalled();
    over();
    await expect.poll(() => close.mock.calls.length).toBe(1);
    await expect.poll(() => pool.list().map(({ bytes }) => bytes)).toEqual(isAnew ? [60] : []);
    loader.unload("m");
  }
  pool.close();
});
