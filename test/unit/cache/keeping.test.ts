import { expect, it } from "vitest";
import { cacheModeOf, chunksOf, chunksToDrop, inOrderOfGoing } from "../../../client/cache/keeping.ts";
import type { Sha256 } from "../../../schema/contract/ids.ts";
import type { Manifest } from "../../../schema/contract/models.ts";
import { published } from "../sdk/examples.ts";

/** Each letter is a chunk; each word a file; each list a variant. */
function manifestOf(...variants: readonly (readonly string[])[]): Manifest {
  return {
    ...published(),
    variants: variants.map((files, at) => ({
      id: `v${at}`,
      requires: {},
      files: files.map((letters) => ({ path: letters, size: letters.length, sha256: letters, chunks: [...letters].map((sha256) => ({ sha256, size: 1 })) })),
    })) as unknown as Manifest["variants"],
  };
}

it("gives each chunk of a variant once, those of small files first", () => {
  const [variant] = manifestOf(["abca", "cd"]).variants;
  expect(variant && chunksOf(variant).map(({ sha256 }) => sha256)).toEqual(["c", "d", "a", "b"]);
});

it.each<[string, Manifest[], Manifest[], string[]]>([
  ["what the new revision shares stays", [manifestOf(["abc"])], [manifestOf(["abd"])], ["c"]],
  ["what another model shares stays", [manifestOf(["abc"])], [manifestOf(["d"]), manifestOf(["c"])], ["a", "b"]],
  ["all variants count, on both sides", [manifestOf(["ab"], ["cd"])], [manifestOf(["x"], ["d"])], ["a", "b", "c"]],
  ["nothing was replaced", [], [manifestOf(["a"])], []],
])("%s", (_, replaced, inForce, dropped) => {
  expect(chunksToDrop(replaced, inForce)).toEqual(dropped);
});

it("lets what was used longest ago go first, and last what offline leases are for", () => {
  const byUse = [..."abcdef"].map((sha256) => ({ sha256: sha256 as Sha256 }));
  const order = (...offline: Manifest[]) => inOrderOfGoing(byUse, offline).map(({ sha256 }) => sha256).join("");
  expect(order()).toBe("abcdef");
  expect(order(manifestOf(["a"], ["cx"]), manifestOf(["e"]))).toBe("bdface");
});

it("keeps weights encrypted where the manifest says nothing", () => {
  expect(cacheModeOf(published())).toBe("encrypted");
  expect(cacheModeOf({ ...published(), cache: "none" })).toBe("none");
});
