/**
 * A model's tokenizer and its settings, from the files of the hub layout.
 *
 * - `tokenizer.json` must be there; `tokenizer_config.json`, `generation_config.json`, `config.json`,
 *   `chat_template.jinja` count where they are. One that can't be read is `model-invalid`, with its name.
 * - A chat template of its own file comes before the one in `tokenizer_config.json`; of several the one named "default".
 */
import { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import { LeaseholdError } from "../../errors.ts";
import { invalidFile, type ModelFiles } from "../tasks/model-files.ts";
import { ChatTemplate } from "./chat-template.ts";
import { TextStream } from "./text-stream.ts";
import { isByteLevel, tokenBytes, type TokenBytes, type TokenizerFile } from "./token-bytes.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

export interface Encoded {
  readonly ids: number[];
  readonly typeIds: number[] | null;
}

export class Tokenizer {
  /** As `tokenizer_config.json` states it; `Infinity` where it doesn't. */
  readonly maxLength: number;
  readonly chatTemplate: ChatTemplate | null;
  readonly config: JsonObject;
  readonly #hub: HubTokenizer;
  readonly #file: TokenizerFile;
  #bytes: TokenBytes | null = null;

  constructor(file: JsonObject, config: JsonObject, templateText: string | null) {
    this.#hub = new HubTokenizer(file, config);
    this.#file = file as unknown as TokenizerFile;
    this.config = config;
    this.maxLength = maxLengthOf(config["model_max_length"]);
    const source = templateText ?? defaultTemplate(config["chat_template"]);
    this.chatTemplate = source === null ? null : chatTemplate(source, this.#specials());
  }

  encode(text: string, options: { readonly pair?: string; readonly addSpecialTokens?: boolean } = {}): Encoded {
    const { ids, token_type_ids: typeIds } = this.#hub.encode(text, { text_pair: options.pair ?? null, add_special_tokens: options.addSpecialTokens ?? true, return_token_type_ids: true });
    return { ids, typeIds: typeIds ?? null };
  }

  decode(ids: readonly number[]): string {
    if (ids.length === 0) return ""; // the library refuses it
    return this.#hub.decode([...ids], { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  }

  idOf(token: string): number | undefined {
    return this.#hub.token_to_id(token);
  }

  /** The one that ends a text, where `tokenizer_config.json` names it. */
  get end(): number | undefined {
    const token = contentOf(this.config["eos_token"]);
    return token === null ? undefined : this.idOf(token);
  }

  tokenOf(id: number): string | undefined {
    return this.#hub.id_to_token(id);
  }

  /** Of a token that stands for no text. */
  specialId(token: string): number | null {
    const id = this.idOf(token);
    return id !== undefined && this.isSpecial(id) ? id : null;
  }

  /** What each token shows of its text: as it is spelled, or where tokens are bytes, the characters that it completes. */
  spell(ids: readonly number[]): string[] {
    if (!isByteLevel(this.#file)) return ids.map((id) => this.tokenOf(id) ?? "");
    const stream = new TextStream(this.bytes, false);
    return ids.map((id) => stream.push(id));
  }

  isSpecial(id: number): boolean {
    return this.#hub.get_added_tokens_decoder().get(id)?.special ?? false;
  }

  /** What each token stands for; made when first asked for. */
  get bytes(): TokenBytes {
    if (!this.#bytes) {
      const bytes = tokenBytes(this.#file, this.#hub.get_vocab(true));
      if ("fault" in bytes) throw invalidFile("tokenizer.json", bytes.fault);
      this.#bytes = bytes;
    }
    return this.#bytes;
  }

  #specials(): Record<string, string> {
    const names = ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token"];
    return Object.fromEntries(names.flatMap((name) => {
      const token = contentOf(this.config[name]);
      return token === null ? [] : [[name, token]];
    }));
  }
}

export async function loadTokenizer(files: ModelFiles): Promise<Tokenizer> {
  const file = await readJson(files, "tokenizer.json");
  const config = files.has("tokenizer_config.json") ? await readJson(files, "tokenizer_config.json") : {};
  const template = files.has("chat_template.jinja") ? await files.text("chat_template.jinja") : null;
  try {
    return new Tokenizer(file, config, template);
  } catch (error) {
    if (error instanceof LeaseholdError) throw error;
    throw invalidFile("tokenizer.json", `can't be used (${error instanceof Error ? error.message.split("\n")[0] : "no reason given"})`, error);
  }
}

function chatTemplate(source: string, specials: Readonly<Record<string, string>>): ChatTemplate {
  try {
    return new ChatTemplate(source, specials);
  } catch (error) {
    throw new LeaseholdError("model-invalid", `The model's chat template can't be read: ${error instanceof Error ? error.message.split("\n")[0] : "no reason given"}.`, { cause: error });
  }
}

export async function readJson(files: ModelFiles, path: string): Promise<JsonObject> {
  const text = await files.text(path);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidFile(path, "is not JSON", error);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalidFile(path, "is not a JSON object");
  return value as JsonObject;
}

const contentOf = (token: unknown): string | null =>
  typeof token === "string" ? token : typeof token === "object" && token !== null && "content" in token && typeof token.content === "string" ? token.content : null;

/** Some configs state 10³⁰ where they mean "none". */
const maxLengthOf = (value: unknown): number => (typeof value === "number" && value > 0 && value < 1e9 ? value : Infinity);

function defaultTemplate(value: unknown): string | null {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return null;
  const named = value.filter((entry): entry is { name: string; template: string } => typeof entry?.name === "string" && typeof entry?.template === "string");
  return (named.find(({ name }) => name === "default") ?? named[0])?.template ?? null;
}
