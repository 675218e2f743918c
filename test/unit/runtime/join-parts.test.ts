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

/** Under `/short/` the last part lacks its end, under `/other/` one byte is another, under `/gone/` the last part is not there. */
beforeAll(async () => {
  server = createServer(({ url = "" }, response) => {
    const [, folder = "", name] = url.split("/");
    const file = ORT_FILES.find((one) => one.name === name);
    const isLast = file?.part?.end === whole.length;
    if (!file?.part || (folder === "gone" && isLast)) return response.writeHead(404).end();
    const part = Buffer.from(whole.subarray(file.part.begin, file.part.end - (folder === "short" && isLast ? 1 : 0)));
    if (folder === "other" && isLast) part[1000] = ~(part[1000] ?? 0) & 255;
    return response.end(part);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

const joined = (folder: string) => joinParts(`${base}/${folder}/`, NAME, PARTED_FILES[NAME] ?? { bytes: 0, sha256: "" });

test("the parts are joined in their order, whichever comes first", async () => {
  expect(whole.equals(await joined("whole"))).toBe(true);
});

test.each([["short", /part2.*has \d+ bytes, not/], ["other", /is not the file that it should be/], ["gone", /part2.*can't be fetched \(404\)/]])("where one is %s, no module comes of it", async (folder, message) => {
  await expect(joined(folder)).rejects.toThrow(message);
});
