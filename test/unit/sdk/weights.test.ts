import { createHash } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { ControlPlane } from "../../../client/sdk/control-plane.ts";
import { LeaseDesk } from "../../../client/sdk/lease-desk.ts";
import { OfflineBook } from "../../../client/sdk/offline-book.ts";
import { parseManifest, RevisionMoved, WeightsSource } from "../../../client/sdk/weights.ts";
import type { Sha256 } from "../../../schema/contract/ids.ts";
import type { Chunk } from "../../../schema/contract/models.ts";
import { type Answer, json, type ScriptedServer, serve } from "../../support/scripted-server.ts";
import { granted, published, refusal, settled, unbound } from "./examples.ts";

const TEXT = JSON.stringify(published());
const DIGEST = createHash("sha256").update(TEXT).digest("hex") as Sha256;
const CHUNK = { sha256: "b".repeat(64), size: 5 } as Chunk;

let server: ScriptedServer;
afterEach(() => server[Symbol.asyncDispose]());

/** Grants leases `token-1`, `token-2`, …; everything else is `onFetch`'s. */
async function source(onFetch: Answer, digestOf: (grants: number) => string = () => DIGEST) {
  let grants = 0;
  server = await serve((response, heard) => {
    if (heard.path === "/v1/leases") {
      grants++;
      json(response, 201, granted({ lease: `token-${grants}`, digest: digestOf(grants), hold: 0 }));
    } else if (heard.path.endsWith("/usage")) json(response, 200, settled(0, 0));
    else onFetch(response, heard);
  });
  const api = new ControlPlane(server.url, unbound());
  const ignore = () => undefined;
  const desk = new LeaseDesk({ api, publishableKey: "lh_pk_acme_x", user: undefined, metadata: undefined, likelyBackend: "wasm", offline: new OfflineBook("acme"), onQuota: ignore, onReportFailed: ignore });
  return new WeightsSource(api, desk, "ocr", "req_1", new AbortController().signal);
}

const count = (path: string) => server.heard.filter((one) => one.path === path).length;
const fetchOne = (weights: WeightsSource) => weights.chunk(DIGEST, CHUNK, { signal: new AbortController().signal, onBytes: () => undefined });
const codeOf = (work: Promise<unknown>) => work.then(() => "no error", (error: { code?: string }) => error.code);

describe("the manifest", () => {
  it("is given where its bytes hash to the digest in the lease", async () => {
    expect(await (await source((response) => response.end(TEXT))).manifestText()).toBe(TEXT);
  });

  it("is fetched once more where they don't, and then refused", async () => {
    const weights = await source((response) => response.end(TEXT.replace("det.onnx", "bad.onnx")));
    expect(await codeOf(weights.manifestText())).toBe("weights-corrupt");
    expect(count("/v1/models/ocr/manifest")).toBe(2);
  });

  it("must be of the tenant and model that were asked for, and readable", () => {
    expect(parseManifest(TEXT, "acme", "ocr")).toEqual(published());
    for (const [text, tenant, model] of [[TEXT, "globex", "ocr"], [TEXT, "acme", "other"], ["{", "acme", "ocr"], ["{}", "acme", "ocr"]] as const) {
      expect(() => parseManifest(text, tenant, model)).toThrow(expect.objectContaining({ code: "bad-response" }));
    }
  });
});

describe("chunks", () => {
  it("are asked for under leases for the revision that was begun with", async () => {
    const weights = await source((response, { headers }) => (headers.authorization === "Bearer token-1" ? json(response, 401, refusal("lease-expired"), { "Content-Type": "application/problem+json" }) : response.end("hello")));
    await weights.lease();
    weights.keepTo("rev_begun");
    await fetchOne(weights);
    weights.keepTo(null);
    await weights.end();
    await weights.lease();
    expect(server.heard.filter(({ path }) => path === "/v1/leases").map(({ body }) => (body as { revision?: string }).revision)).toEqual([undefined, "rev_begun", undefined]);
  });

  it("take one lease for all, and give it back", async () => {
    const weights = await source((response) => response.end("hello"));
    await Promise.all([1, 2, 3, 4].map(() => fetchOne(weights)));
    await weights.end();
    expect(count("/v1/leases")).toBe(1);
    expect(server.heard.at(-1)).toMatchObject({ path: expect.stringContaining("/usage") as string, body: { outcome: "ok", input_tokens: 0, final: true } });
  });

  it("go on under one new lease when it expires in the middle", async () => {
    const weights = await source((response, { headers }) =>
      headers.authorization === "Bearer token-1" ? json(response, 401, refusal("lease-expired")) : response.end("hello"),
    );
    const all = await Promise.all([1, 2, 3, 4].map(() => fetchOne(weights)));
    expect(all.map((bytes) => bytes.byteLength)).toEqual([5, 5, 5, 5]);
    expect(count("/v1/leases")).toBe(2);
  });

  it("survive a short break of the connection", async () => {
    const weights = await source((response) => (count(`/v1/blobs/${CHUNK.sha256}`) === 1 ? response.destroy() : response.end("hello")));
    expect((await fetchOne(weights)).byteLength).toBe(5);
  });

  it("throw what another credential would not change", async () => {
    const weights = await source((response) => json(response, 429, refusal("egress-quota-exceeded"), { "Retry-After": "3600" }));
    expect(await codeOf(fetchOne(weights))).toBe("egress-quota-exceeded");
    expect(count(`/v1/blobs/${CHUNK.sha256}`)).toBe(1);
  });

  it("are not mixed: a lease that pins another revision stops the load", async () => {
    const weights = await source((response) => response.end("hello"), () => "c".repeat(64));
    await expect(fetchOne(weights)).rejects.toBeInstanceOf(RevisionMoved);
    expect(count(`/v1/blobs/${CHUNK.sha256}`)).toBe(0);
  });

  it("ask for no lease where none is needed", async () => {
    const weights = await source((response) => response.end("hello"));
    await weights.end();
    expect(server.heard).toEqual([]);
  });
});
