import { afterEach, expect, it } from "vitest";
import { ChunkBuffer } from "../../../client/sdk/chunk-buffer.ts";
import { ControlPlane } from "../../../client/sdk/control-plane.ts";
import type { Chunk } from "../../../schema/contract/models.ts";
import { type Answer, json, type ScriptedServer, serve } from "../../support/scripted-server.ts";
import { refusal, unbound } from "./examples.ts";

const CHUNK = { sha256: "b".repeat(64), size: 5 } as Chunk;

let server: ScriptedServer;
afterEach(() => server[Symbol.asyncDispose]());

/** What came of each attempt, and of the buffer in the end. */
async function attempts(count: number, answer: Answer): Promise<{ ends: string[]; text: string; seen: number[] }> {
  server = await serve(answer);
  const api = new ControlPlane(server.url, unbound());
  const into = new ChunkBuffer(CHUNK);
  const ends: string[] = [];
  const seen: number[] = [];
  const signal = new AbortController().signal;
  for (let at = 0; at < count; at++) {
    ends.push(await api.chunk("token", CHUNK, into, { signal, onBytes: (bytes) => seen.push(bytes) }).then(() => "whole", (error: { code: string }) => error.code));
  }
  return { ends, text: new TextDecoder().decode(into.bytes), seen };
}

const ranges = () => server.heard.map(({ headers }) => headers.range);
const isFirst = () => server.heard.length === 1;

it("comes whole in one answer, and says how many bytes came", async () => {
  const { ends, text, seen } = await attempts(1, (response) => response.end("hello"));
  expect({ ends, text, last: seen.at(-1) }).toEqual({ ends: ["whole"], text: "hello", last: 5 });
  expect(server.heard[0]).toMatchObject({ path: `/v1/blobs/${CHUNK.sha256}`, headers: { authorization: "Bearer token" } });
});

const rest = (from: number, body: string): Answer => (response) => response.writeHead(206, { "Content-Range": `bytes ${from}-4/5` }).end(body);

it.each<[string, Answer]>([
  ["a connection that breaks", (response) => {
    response.writeHead(200, { "Content-Length": "5" }).write("hel");
    setTimeout(() => response.destroy(), 20);
  }],
  ["an answer that ends early", (response) => response.end("hel")],
])("after %s only the rest is asked for, of the same blob", async (_, cut) => {
  const { ends, text } = await attempts(2, (response, heard) => (isFirst() ? cut : rest(3, "lo"))(response, heard));
  expect({ ends, text }).toEqual({ ends: ["network-failed", "whole"], text: "hello" });
  expect(ranges()).toEqual([undefined, "bytes=3-"]);
  expect(server.heard[1]?.headers["if-range"]).toBe(`"${CHUNK.sha256}"`);
});

it("a rest that ends early too is gone on with from there", async () => {
  const answers: Answer[] = [(response) => response.end("h"), (response) => response.writeHead(206, { "Content-Range": "bytes 1-4/5" }).end("el"), rest(3, "lo")];
  const { ends, text } = await attempts(3, (response, heard) => answers[server.heard.length - 1]?.(response, heard));
  expect({ ends, text }).toEqual({ ends: ["network-failed", "network-failed", "whole"], text: "hello" });
  expect(ranges()).toEqual([undefined, "bytes=1-", "bytes=3-"]);
});

it("the whole instead of the rest is taken as the whole", async () => {
  const { ends, text } = await attempts(2, (response) => response.end(isFirst() ? "hel" : "HELLO"));
  expect({ ends, text }).toEqual({ ends: ["network-failed", "whole"], text: "HELLO" });
});

it.each<[string, Answer]>([
  ["another range", rest(2, "llo")],
  ["a range of another length", (response) => response.writeHead(206, { "Content-Range": "bytes 3-5/6" }).end("lo!")],
  ["a range that is not stated", (response) => response.writeHead(206).end("lo")],
  ["no range at all", (response) => json(response, 416, refusal("range-not-satisfiable"))],
])("%s is not put together with what came: the next attempt starts over", async (_, wrong) => {
  const { ends, text } = await attempts(3, (response, heard) => (server.heard.length === 2 ? wrong(response, heard) : response.end(isFirst() ? "hel" : "hello")));
  expect({ ends, text }).toEqual({ ends: ["network-failed", "network-failed", "whole"], text: "hello" });
  expect(ranges()).toEqual([undefined, "bytes=3-", undefined]);
});

it("too long a body is kept one byte too long, so that the cache sees it", async () => {
  const { text } = await attempts(1, (response) => response.end("hello, and much more than that"));
  expect(text).toBe("hello,");
});

it("a refusal is thrown as it is", async () => {
  expect((await attempts(1, (response) => json(response, 401, refusal("lease-expired")))).ends).toEqual(["lease-expired"]);
});
