/** The operator's catalogue for tests in workerd, filled through the public API alone. */
import type { Base } from "../../schema/contract/models.ts";
import { OPERATOR_KEY, api, expectStatus } from "./api.ts";
import { tinyOnnx } from "./onnx.ts";
import { DEFAULT_PRICES, sha256Hex } from "./tenant.ts";

const operator = { key: OPERATOR_KEY };

export const fileOf = (path: string, bytes: Uint8Array<ArrayBuffer>) => cutFile(path, bytes, bytes.length);

/** The same in chunks of `cut` bytes. */
export async function cutFile(path: string, bytes: Uint8Array<ArrayBuffer>, cut: number) {
  const chunks: { sha256: string; size: number }[] = [];
  for (let at = 0; at < bytes.length; at += cut) {
    const piece = bytes.slice(at, at + cut);
    chunks.push({ sha256: await sha256Hex(piece), size: piece.length });
  }
  return { path, size: bytes.length, sha256: await sha256Hex(bytes), chunks };
}

interface CutFile {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly cut: number;
}

/** Publishes a model of these files, one chunk each; without them, of a tiny one. */
export function publishInCatalog(model: string, files: Uint8Array<ArrayBuffer> | Readonly<Record<string, Uint8Array<ArrayBuffer>>> = tinyOnnx(64, 33), more: object = {}): Promise<Base> {
  const given = files instanceof Uint8Array ? { "onnx/model.onnx": files } : files;
  return publishFiles(model, Object.entries(given).map(([path, bytes]) => ({ path, bytes, cut: bytes.length })), more);
}

export async function publishFiles(model: string, files: readonly CutFile[], more: object = {}, stage: "live" | "draft" = "live"): Promise<Base> {
  const listed = await Promise.all(files.map(({ path, bytes, cut }) => cutFile(path, bytes, cut)));
  const body = { task: "raw", usage: { measure: "per-run", tokens: 1 }, variants: [{ id: "all", files: listed }], prices: DEFAULT_PRICES, ...more };
  const { revision, missing } = expectStatus(await api.post(`/v1/catalog/models/${model}/revisions`, { ...operator, body }), 201).json;
  for (const { bytes, cut } of files) {
    for (let at = 0; at < bytes.length; at += cut) {
      const piece = bytes.slice(at, at + cut);
      const digest = await sha256Hex(piece);
      if ((missing as string[]).includes(digest)) expectStatus(await api.put(`/v1/catalog/blobs/${digest}`, { ...operator, body: piece }), 200, 201);
    }
  }
  expectStatus(await api.post(`/v1/catalog/models/${model}/revisions/${revision}/commit`, { ...operator, body: { stage } }), 200);
  return { model, revision } as Base;
}

export const grant = (tenant: { readonly id: string }, model: string, body: object = {}) => api.put(`/v1/tenants/${tenant.id}/catalog/${model}`, { ...operator, body });
export const revoke = (tenant: { readonly id: string }, model: string) => api.delete(`/v1/tenants/${tenant.id}/catalog/${model}`, operator);

/** A tiny model of the catalogue that the tenant may derive from. */
export async function grantedBase(tenant: { readonly id: string }): Promise<Base> {
  const base = await publishInCatalog("base");
  expectStatus(await grant(tenant, "base"), 200);
  return base;
}
