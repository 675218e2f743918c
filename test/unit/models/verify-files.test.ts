import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { Sha256 } from "../../../schema/contract/ids.ts";
import type { ModelFile, Variant } from "../../../schema/contract/models.ts";
import { mayBeHashed } from "../../../worker/models/review.ts";
import { amountToHash, MOST_HASHED, wrongFileOf } from "../../../worker/models/verify-files.ts";

const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex") as Sha256;
const WHOLE = Uint8Array.from({ length: 2_500 }, (_, at) => at % 251);
const PIECES = [WHOLE.slice(0, 1_000), WHOLE.slice(1_000, 2_000), WHOLE.slice(2_000)];
const CHUNKS = PIECES.map((bytes) => ({ sha256: digest(bytes), size: bytes.length }));
const OTHER = "0".repeat(64) as Sha256;

function store() {
  const read: string[] = [];
  const getBlob = async (name: Sha256) => {
    read.push(name);
    const found = PIECES.find((bytes) => digest(bytes) === name);
    return found ? new Response(found).body : null;
  };
  return { read, getBlob };
}
const variants = (...files: ModelFile[]): Variant[] => [{ id: "all", requires: {}, files }];
const file = (more: Partial<ModelFile> = {}): ModelFile => ({ path: "weights.bin", size: WHOLE.length, sha256: digest(WHOLE), chunks: CHUNKS, ...more });

test("a file is what its chunks make, in their order", async () => {
  expect(await wrongFileOf(variants(file()), [], store())).toBeNull();
  expect(await wrongFileOf(variants(file({ sha256: OTHER })), [], store())).toEqual({ path: "weights.bin", stated: OTHER, actual: digest(WHOLE) });
  expect(await wrongFileOf(variants(file(), file({ path: "turned", chunks: CHUNKS.toReversed() })), [], store())).toMatchObject({ path: "turned", stated: digest(WHOLE) });
});

test("each content is read once; what states nothing, has one chunk or was checked before is not read", async () => {
  const blobs = store();
  expect(await wrongFileOf([...variants(file(), file({ path: "again" })), ...variants(file())], [], blobs)).toBeNull();
  expect(blobs.read).toHaveLength(3);
  const { sha256: _, ...silent } = file();
  const [only] = CHUNKS;
  const small = file({ path: "small", size: 1_000, chunks: CHUNKS.slice(0, 1), ...(only && { sha256: only.sha256 }) });
  expect(await wrongFileOf(variants(silent, small, file()), variants(file({ path: "elsewhere" })), blobs)).toBeNull();
  expect(blobs.read).toHaveLength(3);
  expect(await wrongFileOf(variants(file({ sha256: OTHER })), variants(file()), blobs)).not.toBeNull();
});

test("a chunk that the store has lost is told as that", async () => {
  await expect(wrongFileOf(variants(file({ chunks: [...CHUNKS, { sha256: OTHER, size: 1 }] })), [], store())).rejects.toThrow("lost a chunk of weights.bin");
});

test("how much is to be read of a revision is known before: of each content once, of what states nothing or was checked nothing", () => {
  const { sha256: _, ...silent } = file();
  expect(amountToHash([...variants(file(), file({ path: "again" })), ...variants(file(), silent)], [])).toEqual({ bytes: WHOLE.length, chunks: 3 });
  expect(amountToHash(variants(file(), file({ sha256: OTHER })), [])).toEqual({ bytes: 2 * WHOLE.length, chunks: 6 });
  expect(amountToHash(variants(file(), file({ path: "only", chunks: CHUNKS.slice(0, 1) })), variants(file({ path: "elsewhere" })))).toEqual({ bytes: 0, chunks: 0 });
});

const cut = (chunks: number) => file({ path: `${chunks}`, sha256: OTHER, size: chunks, chunks: Array.from({ length: chunks }, () => ({ sha256: OTHER, size: 1 })) });

test.each([
  ["bytes", [file({ size: MOST_HASHED.bytes })], [file({ path: "more", sha256: OTHER, size: 1 })]],
  ["chunks", [cut(MOST_HASHED.chunks)], [cut(2)]],
])("a revision of more %s than one commit can read is refused, by a code of its own; not one that is as large as a base that was checked", (_, most, more) => {
  const large = variants(...most, ...more);
  expect(() => mayBeHashed(large, [])).toThrow(expect.objectContaining({ refusal: expect.objectContaining({ code: "revision-too-large" }) }));
  mayBeHashed(variants(...most), []);
  mayBeHashed(large, large);
});
