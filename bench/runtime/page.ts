/** The bench's page: keeps the contestants loaded side by side, and lets the script run one of them at a time. */
import { CONTESTANTS, loadTokenizer, type Contestant, type Prompt } from "./contestants.ts";

export interface BenchPage {
  load(name: string): Promise<string>;
  /** The same words for all, cut to `tokens` tokens. */
  prompt(tokens: number): Promise<Prompt>;
  generate(name: string, prompt: Prompt, count: number, keep: number): Promise<number[]>;
  close(name: string): Promise<void>;
}

declare global {
  var bench: BenchPage | undefined;
}

const WORDS = "The harbour lay still in the early light while the boats came home with their catch and the gulls called over the roofs of the old town . ".repeat(60);
const loaded = new Map<string, Contestant>();
const tokenizer = loadTokenizer();

function contestant(name: string): Contestant {
  const found = loaded.get(name);
  if (!found) throw new Error(`${name} is not loaded`);
  return found;
}

globalThis.bench = {
  async load(name) {
    const start = CONTESTANTS[name];
    if (!start) throw new Error(`there is no ${name}`);
    const started = await start();
    loaded.set(name, started);
    return started.note;
  },
  async prompt(tokens) {
    const { encode, decode } = await tokenizer;
    const peer = await tokenizer;
    const ids = encode.call(peer, WORDS).slice(0, tokens);
    return { ids, text: decode.call(peer, ids) };
  },
  generate: (name, prompt, count, keep) => contestant(name).generate(prompt, count, keep),
  async close(name) {
    await contestant(name).close();
    loaded.delete(name);
  },
};
