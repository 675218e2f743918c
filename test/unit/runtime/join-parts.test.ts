/** A file that comes in parts, from a server that hands out those of the installed package. */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { joinParts } from "../../../client/runtime/backends/join-parts.ts";
import { ORT_BUILDS, ORT_FILES, PARTED_FILES } from "../../../client/runtime/ort-files.ts";

const dist = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
const NAME = ORT_BUILDS["webgpu-without-jspi"].wasm;
const whole = readFileSync(join(dist, NAME));
let server: Server;
let base: string;

/** How often the last part was asked for, by folder. */
const asked = new Map<string, number>();

/** `/cut2/`: the last part comes whole the third time it is asked for, and breaks off before; `/down2/` likewise, with 503; `/cut9/` and `/down9/` too late.
 * Under `/short/` the last part lacks its end, under `/other/` one byte is another, under `/gone/` the last part is not there. */
beforeAll(async () => {
  server = createServer(({ url = "" }, response) => {
    const [, folder = "", name] = url.split("/");
    const file = ORT_FILES.find((one) => one.name === name);
    const isLast = file?.part?.end === whole.length;
    if (isLast) asked.set(folder, (asked.get(folder) ?? 0) + 1);
    const [, fault, times] = /^(cut|down)(\d)$/.exec(folder) ?? [];
    const isFaulty = isLast && (asked.get(folder) ?? 0) <= Number(times);
    if (isFaulty && fault === "down") return response.writeHead(503).end();
    if (!file?.part || (folder === "gone" && isLast)) return response.writeHead(404).end();
    const part = Buffer.from(whole.subarray(file.part.begin, file.part.end - (folder === "short" && isLast ? 1 : 0)));
    if (folder === "other" && isLast) part[1000] = ~(part[1000] ?? 0) & 255;
    if (isFaulty) return response.writeHead(200, { "Content-Length": part.length }).write(part.subarray(0, 1000), () => response.destroy());
    return response.end(part);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

const joined = (folder: string) => joinParts(`${base}/${folder}/`, NAME, PARTED_FILES[NAME] ?? { bytes: 0, sha256: "" }, [1, 1]);

test("the parts are joined in their order, whichever comes first", async () => {
  expect(whole.equals(await joined("whole"))).toBe(true);
});

test.each([["short", /part2.*has \d+ bytes, not/], ["other", /is not the file that it should be/], ["gone", /part2.*can't be fetched \(404\)/]])("where one is %s, no module comes of it", async (folder, message) => {
  await expect(joined(folder)).rejects.toThrow(message);
});

test.each(["cut2", "down2"])("a part that does not come is asked for three times in all: %s", async (folder) => {
  expect(whole.equals(await joined(folder))).toBe(true);
  expect(asked.get(folder)).toBe(3);
});

test.each(["cut9", "down9"])("then it is the network's fault, and not the browser's: %s", async (folder) => {
  await expect(joined(folder)).rejects.toMatchObject({ name: "LeaseholdError", code: "network-failed" });
  expect(asked.get(folder)).toBe(3);
});

test("what is not there, or is another file, is not asked for again", async () => {
  for (const folder of ["short", "other", "gone"]) {
    asked.clear();
    await expect(joined(folder)).rejects.not.toMatchObject({ code: "network-failed" });
    expect(asked.get(folder)).toBe(1);
  }
});
