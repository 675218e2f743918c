/** Pieces that come faster than frames are given together: nothing lost, nothing out of order, nothing kept for long. */
import { expect, test } from "vitest";
import { gathered } from "../../../../client/runtime/generate/gathered.ts";
import type { GenerateEvent } from "../../../../client/runtime/tasks/text-generation/request.ts";

const piece = (text: string, outputTokens: number, choice = 0): GenerateEvent => ({ kind: "piece", choice, text, tokens: [{ text, bytes: [], at: 0, logprob: 0, top: [] }], outputTokens });
const ended: GenerateEvent = { kind: "ended", choice: 0, reason: "stop", why: "end-token" };

function begin() {
  const given: GenerateEvent[] = [];
  const clock = { ms: 0 };
  const pieces = gathered((event) => given.push(event), () => clock.ms);
  const texts = () => given.map((event) => (event.kind === "piece" ? event.text : event.kind));
  return { given, clock, pieces, texts };
}

test("the first piece comes at once, the next ones a frame later, together", () => {
  const { given, clock, pieces, texts } = begin();
  for (const [at, text] of [..."abcdefgh"].entries()) {
    clock.ms = 5 * at;
    pieces.emit(piece(text, at + 1));
  }
  expect(texts()).toEqual(["a", "bcde"]);
  expect(given[1]).toMatchObject({ outputTokens: 5, tokens: [{ text: "b" }, { text: "c" }, { text: "d" }, { text: "e" }] });
});

test("what ends an answer comes after all of its text", () => {
  const { pieces, texts } = begin();
  pieces.emit(piece("a", 1));
  pieces.emit(piece("b", 2));
  pieces.emit(ended);
  expect(texts()).toEqual(["a", "b", "ended"]);
});

test("pieces of another choice are pieces of their own", () => {
  const { pieces, texts } = begin();
  pieces.emit(piece("a", 1));
  pieces.emit(piece("b", 2));
  pieces.emit(piece("c", 3, 1));
  pieces.emit(ended);
  expect(texts()).toEqual(["a", "b", "c", "ended"]);
});

test("a text whose next token is late is given when somebody looks", () => {
  const { clock, pieces, texts } = begin();
  pieces.emit(piece("a", 1));
  pieces.emit(piece("b", 2));
  pieces.look();
  expect(texts()).toEqual(["a"]);
  clock.ms = 20;
  pieces.look();
  expect(texts()).toEqual(["a", "b"]);
});

test("an answer that breaks off has given all that came of it", () => {
  const { given, pieces, texts } = begin();
  pieces.emit(piece("a", 1));
  pieces.emit(piece("b", 2));
  pieces.emit(piece("c", 3));
  pieces.end();
  pieces.end();
  expect(texts()).toEqual(["a", "bc"]);
  expect(given.at(-1)).toMatchObject({ outputTokens: 3 });
});
