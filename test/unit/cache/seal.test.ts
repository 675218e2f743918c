import { createHash, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type Bytes, importContentKey, openChunk, sealChunk, sealedBytes } from "../../../client/cache/seal.ts";
import type { Sha256 } from "../../../schema/contract/ids.ts";

const RECORD = 512 * 1024;
const key = await importContentKey("k".repeat(43));

/** Of three records, the last a short one. */
const plain: Bytes = new Uint8Array(randomBytes(2 * RECORD + 1000));
const chunk = { sha256: createHash("sha256").update(plain).digest("hex") as Sha256, size: plain.length };

async function sealed(): Promise<Bytes> {
  return new Uint8Array(Buffer.concat(await sealChunk(key, "acme", chunk, plain)));
}

function flipped(bytes: Bytes, at: number): Bytes {
  const other = bytes.slice();
  other[at] = (other[at] as number) ^ 1;
  return other;
}

describe("a chunk of several records", () => {
  it("opens to what it was, and takes as much room as is said", async () => {
    const bytes = await sealed();
    expect(bytes.length).toBe(sealedBytes(chunk.size));
    expect(Buffer.from((await openChunk(key, "acme", chunk, bytes)) ?? []).equals(plain)).toBe(true);
  });

  it("is sealed under a nonce of its own each time", async () => {
    expect((await sealed()).slice(0, 12)).not.toEqual((await sealed()).slice(0, 12));
  });

  const record = RECORD + 16;
  it.each([
    ["a bit of the nonce", (bytes: Bytes) => flipped(bytes, 3)],
    ["a bit of the nonce's counter", (bytes: Bytes) => flipped(bytes, 11)],
    ["a bit of the second record", (bytes: Bytes) => flipped(bytes, 12 + record + 5)],
    ["a bit of the first tag", (bytes: Bytes) => flipped(bytes, 12 + record - 1)],
    ["a bit of the last tag", (bytes: Bytes) => flipped(bytes, bytes.length - 1)],
    ["two records in each other's place", (bytes: Bytes) => new Uint8Array(Buffer.concat([bytes.subarray(0, 12), bytes.subarray(12 + record, 12 + 2 * record), bytes.subarray(12, 12 + record), bytes.subarray(12 + 2 * record)]))],
    ["a record twice", (bytes: Bytes) => new Uint8Array(Buffer.concat([bytes.subarray(0, 12 + record), bytes.subarray(12, 12 + record), bytes.subarray(12 + 2 * record)]))],
    ["no last record", (bytes: Bytes) => bytes.slice(0, 12 + 2 * record)],
  ])("does not open with %s changed", async (_, change) => {
    expect(await openChunk(key, "acme", chunk, change(await sealed()))).toBeNull();
  });

  it("does not open for another tenant, another chunk or another key", async () => {
    const bytes = await sealed();
    expect(await openChunk(key, "globex", chunk, bytes)).toBeNull();
    expect(await openChunk(key, "acme", { ...chunk, sha256: "0".repeat(64) as Sha256 }, bytes)).toBeNull();
    expect(await openChunk(await importContentKey("j".repeat(43)), "acme", chunk, bytes)).toBeNull();
  });
});
