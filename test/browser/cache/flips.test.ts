/** Damage on the disk: whatever bit is turned in a cached chunk, the model gets the bytes of its manifest or none. */
import { afterAll, expect, it } from "vitest";
import { openModelStore } from "../../../client/cache/model-store.ts";
import { cachedFile, fetchKept, flipBit, makeModel, overwrite, PLAIN, sourceOf, wholeOf } from "./made-model.ts";

const CHUNKS = 100;
const ROUNDS = 10;

afterAll(async () => (await navigator.storage.getDirectory()).removeEntry("leasehold", { recursive: true }));

it.each(["encrypted", "plain"] as const)(`of ${CHUNKS * ROUNDS} random flips over chunks that are kept %s, none gets through`, async (mode) => {
  const model = await makeModel({ "a.onnx": Array.from({ length: CHUNKS }, (_, at) => 200 + at) });
  const keeping = mode === "plain" ? PLAIN : model.keeping;
  const tenant = `flips-${mode}`;
  const store = await openModelStore(tenant);
  await fetchKept({ ...model, keeping, store, fetchChunk: sourceOf(model).fetchChunk });

  let gotThrough = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(
      model.chunks.map(async ({ sha256 }) => {
        const handle = await cachedFile(tenant, sha256);
        const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
        const at = Math.floor(Math.random() * bytes.length);
        await overwrite(handle, flipBit(bytes, at, 1 << Math.floor(Math.random() * 8)));
      }),
    );
    const source = sourceOf(model);
    const fetched = await fetchKept({ ...model, keeping, store, fetchChunk: source.fetchChunk, onChunk: (_, __, isVerified) => expect(isVerified).toBe(true) });
    gotThrough += CHUNKS - source.asked.size;
    expect(await wholeOf(fetched.files[0])).toBe(model.variant.files[0]?.sha256);
  }
  expect(gotThrough).toBe(0);
  store.close();
});
