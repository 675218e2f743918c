/**
 * A text model that answers: prompt, prefix, answers. Knows the decoder by its interface only.
 *
 * - All that can be refused is refused before the first token: what doesn't fit, can't be kept to, or was never taught.
 * - The prompt is computed once for all choices; for a seed, from its last whole piece on, as it always is.
 */
import { LeaseholdError } from "../../errors.ts";
import { Constraint } from "../constrain/constraint.ts";
import { ANY_OBJECT, jsonRule } from "../constrain/json-rules.ts";
import type { Rule } from "../constrain/rules.ts";
import { readSchema } from "../constrain/schema.ts";
import { Vocabulary } from "../constrain/vocabulary.ts";
import type { Decoder } from "../decode/decoder.ts";
import { ScoreRoom } from "../kernels/scores.ts";
import { seededRandom } from "../sampling/random.ts";
import { Sampler } from "../sampling/sampler.ts";
import type { Step } from "../tasks/task.ts";
import type { ChatMessage, GenerateEvent, GenerateInput, GenerateNote, GenerateOutput, Prompt } from "../tasks/text-generation/request.ts";
import type { TemplateMessage } from "../tokenizer/chat-template.ts";
import { TextStream } from "../tokenizer/text-stream.ts";
import type { JsonObject, Tokenizer } from "../tokenizer/tokenizer.ts";
import { writeAnswer } from "./answer.ts";
import { Budget } from "./budget.ts";
import { Counts } from "./counts.ts";
import { Sequence } from "./sequence.ts";
import { checkRequest, endTokens, samplingSettings } from "./settings.ts";
import { allowedTools, type Calling, toolCallRule, ToolCallReader, wholeAnswerRule } from "./tool-calls.ts";
import { type Dialect, type Markers, markersOf, withMarkers } from "./tool-dialects.ts";

export interface GeneratorParts {
  readonly decoder: Decoder;
  readonly tokenizer: Tokenizer;
  readonly generationConfig: JsonObject;
  readonly modelConfig: JsonObject;
  /** For conversations that are set aside. */
  readonly keptBytes?: number;
}

export interface Conversation {
  readonly emit: (event: GenerateEvent) => void;
  /** Notes that have come since the last call. */
  readonly notes: () => readonly GenerateNote[];
}

/** How this model calls tools. */
interface Family {
  readonly dialect: Dialect;
  readonly markers: Markers;
}

interface Plan {
  readonly ids: readonly number[];
  readonly isStart: boolean;
  readonly rule: Rule | null;
  readonly tools: { readonly rule: Rule; readonly calling: Calling; readonly family: Family } | null;
}

export class Generator {
  readonly #parts: GeneratorParts;
  readonly #sequence: Sequence;
  readonly #ends: ReadonlySet<number>;
  readonly #room = new ScoreRoom();
  readonly #family: Family | null;
  #vocabulary: Vocabulary | null = null;

  constructor(parts: GeneratorParts) {
    const { decoder, tokenizer, generationConfig, modelConfig, keptBytes } = parts;
    this.#parts = parts;
    this.#sequence = new Sequence(decoder, keptBytes);
    this.#ends = endTokens(generationConfig, modelConfig, tokenizer.end);
    const dialect = tokenizer.chatTemplate?.dialect;
    this.#family = dialect ? { dialect, markers: markersOf(dialect, (token) => tokenizer.specialId(token)) } : null;
  }

  async run(input: GenerateInput, step: Step, { emit, notes }: Conversation): Promise<GenerateOutput> {
    const { decoder, tokenizer, generationConfig } = this.#parts;
    checkRequest(input);
    const settings = samplingSettings(input.sampling, generationConfig);
    const plan = this.#plan(input);
    const { contextLength } = decoder;
    if (plan.ids.length >= contextLength) {
      throw new LeaseholdError("context-length-exceeded", `The prompt has ${plan.ids.length} tokens; the model takes ${contextLength} with its answer. Shorten it.`, { limit: contextLength });
    }
    const promptTokens = plan.ids.length;
    if (input.kind === "measure") return { promptTokens, cachedTokens: 0, outputTokens: 0, contextLength, ttftMs: null, tokensPerSecond: null };

    const began = performance.now();
    const pace = new Pace(began);
    const count = (outputTokens: number, isOut: boolean) => emit({ kind: "count", outputTokens, isOut });
    const counts = new Counts((tokens) => count(tokens, false), () => performance.now());
    const budget = new Budget(input.hold, notes, () => count(pace.tokens, true));
    budget.use(promptTokens);
    const isExact = input.sampling.seed !== undefined && settings.temperature > 0;
    decoder.steady?.(isExact);
    const { next, cachedTokens } = await this.#sequence.prefill(plan.ids, step, isExact);
    emit({ kind: "began", promptTokens, cachedTokens });

    const seed = input.sampling.seed ?? crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
    const constraint = plan.rule && new Constraint(plan.rule, this.#tree(), [...this.#ends]);
    const toolConstraint = plan.tools && new Constraint(plan.tools.rule, this.#tree(), [...this.#ends]);
    for (let choice = 0; choice < input.choices; choice++) {
      const first = choice === 0 ? next : (await this.#sequence.prefill(plan.ids, step, isExact)).next;
      let calls = 0;
      const ending = await writeAnswer(
        first,
        {
          sequence: this.#sequence,
          sampler: new Sampler(settings, seededRandom(seed, choice), plan.ids, this.#room),
          room: this.#room,
          stream: new TextStream(tokenizer.bytes, plan.isStart),
          ends: this.#ends,
          stop: input.stop,
          maxTokens: input.maxTokens ?? Infinity,
          logprobs: input.logprobs,
          offset: input.logprobs === null ? 0 : this.#lengthBefore(input.prompt),
          constraint,
          tools: plan.tools && toolConstraint && new ToolCallReader(plan.tools.family.dialect, plan.tools.family.markers, plan.tools.calling, toolConstraint),
          budget,
          spelling: (token) => tokenizer.bytes.bytes[token] ?? null,
          onToken: () => pace.count(),
          onShown: () => counts.look(pace.tokens),
          onPiece: (text, tokens) => {
            counts.told(pace.tokens);
            emit({ kind: "piece", choice, text, tokens, outputTokens: pace.tokens });
          },
          onToolCall: (call) => {
            counts.told(pace.tokens);
            emit({ kind: "tool-call", choice, index: calls++, call, outputTokens: pace.tokens });
          },
        },
        step,
      );
      emit({ kind: "ended", choice, ...ending });
    }
    return { promptTokens, cachedTokens, outputTokens: pace.tokens, contextLength, ttftMs: pace.ttftMs, tokensPerSecond: pace.tokensPerSecond };
  }

  #plan(input: GenerateInput): Plan {
    const { prompt } = input;
    const isChat = prompt.kind === "chat";
    const rule = input.format.type === "text" ? null : jsonRule(input.format.type === "json_object" ? ANY_OBJECT : readSchema(input.format.schema));
    const tools = isChat ? allowedTools(prompt.tools, prompt.toolChoice) : [];
    const ids = this.#ids(prompt);
    if (ids.length === 0) throw new LeaseholdError("invalid-request", "The prompt is empty, and this model can't begin from nothing.");
    const isStart = isChat || (prompt.kind === "text" && prompt.text === "");
    if (!isChat || tools.length === 0) return { ids, isStart, rule, tools: null };
    const family = this.#family as Family; // `#ids` has refused tools where there is none
    const isForced = prompt.toolChoice !== "auto";
    const calling = { isForced, isSingle: isForced || !prompt.isParallel, instead: isForced ? null : rule };
    const called = toolCallRule(tools, family.dialect, family.markers, calling.isSingle);
    const isHeld = isForced || rule !== null;
    return { ids, isStart, rule: isHeld ? wholeAnswerRule(called, family.dialect, family.markers, calling) : null, tools: { rule: called, calling, family } };
  }

  /** Characters of the text that an answer's own are counted after. */
  #lengthBefore(prompt: Prompt): number {
    if (prompt.kind === "chat") return 0;
    return prompt.kind === "text" ? prompt.text.length : this.#parts.tokenizer.decode(prompt.ids).length;
  }

  #ids(prompt: Prompt): readonly number[] {
    const { tokenizer } = this.#parts;
    if (prompt.kind === "tokens") {
      const { vocabulary } = this.#parts.decoder;
      const unknown = prompt.ids.find((id) => id >= vocabulary);
      if (unknown !== undefined) throw new LeaseholdError("invalid-request", `prompt has the token ${unknown}, and the model's are 0 to ${vocabulary - 1}.`);
      return prompt.ids;
    }
    if (prompt.kind === "text") return tokenizer.encode(prompt.text).ids;
    const { chatTemplate } = tokenizer;
    if (!chatTemplate) throw new LeaseholdError("invalid-request", "This model has no chat template: it continues text. Use completions.");
    const hasTools = prompt.tools.length > 0 && prompt.toolChoice !== "none";
    if (hasTools && !this.#family) throw new LeaseholdError("tools-unsupported", "This model's chat template teaches no tool calls that can be read here.");
    if (prompt.messages.length === 0) throw new LeaseholdError("invalid-request", "messages is empty.");
    const text = chatTemplate.render(prompt.messages.map(templateMessage), hasTools ? prompt.tools : undefined);
    return tokenizer.encode(text, { addSpecialTokens: false }).ids;
  }

  #tree(): Vocabulary {
    const { tokenizer, decoder } = this.#parts;
    this.#vocabulary ??= new Vocabulary(this.#family ? withMarkers(tokenizer.bytes.bytes, this.#family.markers) : tokenizer.bytes.bytes, decoder.vocabulary);
    return this.#vocabulary;
  }
}

class Pace {
  tokens = 0;
  readonly #began: number;
  #first = 0;
  #last = 0;

  constructor(began: number) {
    this.#began = began;
  }

  count(): void {
    this.#last = performance.now();
    if (this.tokens === 0) this.#first = this.#last;
    this.tokens++;
  }

  get ttftMs(): number | null {
    return this.tokens === 0 ? null : this.#first - this.#began;
  }

  get tokensPerSecond(): number | null {
    return this.tokens < 2 ? null : ((this.tokens - 1) * 1000) / Math.max(0.001, this.#last - this.#first);
  }
}

function templateMessage({ tool_calls: calls, ...message }: ChatMessage): TemplateMessage {
  if (!calls) return message;
  return { ...message, tool_calls: calls.map(({ function: { name, arguments: text }, ...call }) => ({ ...call, function: { name, arguments: parsed(text) } })) };
}

/** Some write no arguments at all where a tool takes none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text.trim() === "" ? "{}" : text);
  } catch (error) {
    throw new LeaseholdError("invalid-request", "A tool call's arguments are not JSON.", { cause: error });
  }
}
