/**
 * From a label a token to entities in the text. Pure.
 *
 * - Tokens are found in the text by their letters (the tokenizer may have lowered them and taken their accents); one
 *   that can't be found (an unknown word) has no width.
 * - Aggregated: a token that goes on with a word goes with it; B- begins an entity, I- of the same kind goes on.
 */
import type { Entity } from "./calls.ts";

export interface Tagged {
  /** As the tokenizer spells it: `##ing`, ` the`, `▁the`. */
  readonly token: string;
  readonly label: string;
  readonly score: number;
}

interface Placed extends Tagged {
  readonly start: number;
  readonly end: number;
  readonly isRest: boolean;
}

export function entities(text: string, tagged: readonly Tagged[], aggregation: "none" | "simple"): Entity[] {
  const placed = place(text, tagged);
  if (aggregation === "none") return placed.filter(({ label }) => label !== "O").map(({ label, score, start, end }) => ({ entity: label, score, text: text.slice(start, end), start, end }));
  const groups: { kind: string; scores: number[]; start: number; end: number }[] = [];
  let open = false;
  for (const { label, score, start, end, isRest } of placed) {
    const last = groups.at(-1);
    const [, prefix, kind = label] = /^([BIES])-(.+)$/.exec(label) ?? [];
    if (open && last && (isRest || (kind === last.kind && prefix !== "B"))) {
      last.end = end;
      if (!isRest) last.scores.push(score);
      continue;
    }
    open = label !== "O";
    if (open) groups.push({ kind, scores: [score], start, end });
  }
  return groups.map(({ kind, scores, start, end }) => ({ entity: kind, score: scores.reduce((sum, score) => sum + score, 0) / scores.length, text: text.slice(start, end), start, end }));
}

function place(text: string, tagged: readonly Tagged[]): Placed[] {
  const { letters, at } = plain(text);
  let cursor = 0;
  return tagged.map((item) => {
    const isRest = item.token.startsWith("##");
    const piece = plain(item.token.replace(/^(?:##|▁)/, "").trim()).letters;
    const found = piece === "" ? -1 : letters.indexOf(piece, cursor);
    const from = found >= 0 ? found : cursor;
    cursor = found >= 0 ? found + piece.length : cursor;
    return { ...item, isRest, start: at[from] ?? text.length, end: at[cursor] ?? text.length };
  });
}

/** Lower case without accents, and where each letter stands in the text; one more place at the end. */
function plain(text: string): { readonly letters: string; readonly at: readonly number[] } {
  let letters = "";
  const at: number[] = [];
  let place = 0;
  for (const letter of text) {
    const own = letter.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
    for (let i = 0; i < own.length; i++) at.push(place);
    letters += own;
    place += letter.length;
  }
  return { letters, at: [...at, text.length] };
}
