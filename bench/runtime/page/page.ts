/** The bench's page: keeps the contestants loaded side by side, and lets the script run one of them at a time. */
import { CONTESTANTS, loadTokenizer, type Contestant, type Generated } from "./contestants.ts";
import { EMBEDDERS, type Embedder } from "./embedders.ts";
import { makePrompt, makeTexts, makeTurn } from "./prompts.ts";

/** A prompt: so many tokens, of one salt. `kept`: all but the last are the prompt's that was fed before. */
export interface PromptAsk {
  readonly tokens: number;
  readonly salt: number;
  readonly kept?: number;
}

export interface BenchPage {
  /** What it says of itself, and the milliseconds that it took. */
  load(name: string): Promise<{ note: string; ms: number }>;
  generate(name: string, prompt: PromptAsk, count: number): Promise<Generated>;
  loadEmbedder(name: string): Promise<string>;
  /** Milliseconds for 32 texts of mixed lengths, `batch` at a time. */
  embed(name: string, batch: number): Promise<number>;
}

declare global {
  var bench: BenchPage | undefined;
}

const MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct";
const TEXTS = 32;
const loaded = new Map<string, Contestant>();
const embedders = new Map<string, Embedder>();
const tokenizer = loadTokenizer(MODEL);

function found<T>(map: ReadonlyMap<string, T> | Readonly<Record<string, T>>, name: string): T {
  const one = map instanceof Map ? map.get(name) : (map as Readonly<Record<string, T>>)[name];
  if (one === undefined) throw new Error(`there is no ${name}`);
  return one;
}

globalThis.bench = {
  async load(name) {
    await tokenizer;
    const began = performance.now();
    const started = await found(CONTESTANTS, name)(MODEL);
    const ms = performance.now() - began;
    loaded.set(name, started);
    return { note: started.note, ms };
  },
  async generate(name, { tokens, salt, kept }, count) {
    const peer = await tokenizer;
    const prompt = makePrompt(peer, tokens, salt);
    return kept === undefined ? found(loaded, name).generate(prompt, count, false) : found(loaded, name).generate(makeTurn(peer, prompt, kept, tokens), count, true);
  },
  async loadEmbedder(name) {
    const started = await found(EMBEDDERS, name)();
    embedders.set(name, started);
    return started.note;
  },
  async embed(name, batch) {
    const texts = makeTexts(await tokenizer, TEXTS);
    const embedder = found(embedders, name);
    const began = performance.now();
    for (let at = 0; at < texts.length; at += batch) await embedder.embed(texts.slice(at, at + batch));
    return performance.now() - began;
  },
};
