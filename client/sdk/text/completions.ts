/**
 * `chat.completions.create` and `completions.create`, as OpenAI's library has them.
 *
 * - With `stream: true` the promise gives an async iterable, once the prompt is taken in; leaving the loop stops the
 *   generation. Without, the whole answer.
 * - The chunk of what ended last comes when all is settled: where no usage was asked for, it is the last, and has a choice
 *   as each before it.
 */
import type { GenerateInput } from "../../runtime/tasks/text-generation/request.ts";
import { type AnswerEvent, chatChunks, chatClosing, chatCompletion, type Closing, completion, completionChunks, completionClosing, Gathered, type Head } from "./answers.ts";
import { beginGeneration } from "./generation.ts";
import type { CallOptions, Parts } from "./hold.ts";
import type { ChatChunk, ChatCompletion, ChatRequest, Completion, CompletionRequest } from "./openai.ts";
import { chatInput, completionInput } from "./requests.ts";

interface Form<Whole, Chunk> {
  readonly prefix: string;
  readonly chunks: (head: Head, event: AnswerEvent) => readonly Chunk[];
  /** Last of all, from the chunk of the last event. */
  readonly closing: (head: Head, closing: Closing, ended: Chunk | null) => readonly Chunk[];
  readonly whole: (head: Head, gathered: Gathered, closing: Closing) => Whole;
}

export function createChat(parts: Parts, request: ChatRequest, options: CallOptions): Promise<ChatCompletion | AsyncIterable<ChatChunk>> {
  const begun = new Set<number>();
  const withUsage = request.stream_options?.include_usage ?? false;
  return create<ChatCompletion, ChatChunk>(parts, request, chatInput(request), options, {
    prefix: "chatcmpl",
    chunks: (head, event) => chatChunks(head, event, begun),
    closing: (head, closing, ended) => chatClosing(head, closing, ended, withUsage),
    whole: (head, gathered, closing) => chatCompletion(head, gathered, request.logprobs ?? false, closing),
  });
}

export function createCompletion(parts: Parts, request: CompletionRequest, options: CallOptions): Promise<Completion | AsyncIterable<Completion>> {
  const withUsage = request.stream_options?.include_usage ?? false;
  return create<Completion, Completion>(parts, request, completionInput(request), options, {
    prefix: "cmpl",
    chunks: completionChunks,
    closing: (head, closing, ended) => completionClosing(head, closing, ended, withUsage),
    whole: (head, gathered, closing) => completion(head, gathered, request.logprobs != null, closing),
  });
}

async function create<Whole, Chunk>(parts: Parts, { model, stream, stream_options: wish }: ChatRequest | CompletionRequest, input: GenerateInput, options: CallOptions, form: Form<Whole, Chunk>): Promise<Whole | AsyncIterable<Chunk>> {
  const { requestId, events, closing, stop } = await beginGeneration(parts, model, input, options);
  const head = { id: requestId.replace("req_", `${form.prefix}-`), created: Math.floor(Date.now() / 1000), model };
  if (stream) return chunksOf(events, closing, stop, wish?.include_usage ? { ...head, usage: null } : head, form);
  const gathered = new Gathered();
  for await (const event of events) gathered.add(event);
  return form.whole(head, gathered, await closing);
}

async function* chunksOf<Whole, Chunk>(events: AsyncIterable<AnswerEvent>, closing: Promise<Closing>, stop: () => void, head: Head, form: Form<Whole, Chunk>): AsyncGenerator<Chunk, void> {
  let isDone = false;
  try {
    let ended: Chunk | null = null;
    for await (const event of events) {
      if (ended) yield ended;
      const chunks = form.chunks(head, event);
      ended = event.kind === "ended" ? (chunks.at(-1) ?? null) : null;
      yield* ended ? chunks.slice(0, -1) : chunks;
    }
    isDone = true;
    yield* form.closing(head, await closing, ended);
  } finally {
    if (!isDone) stop(); // the reader left the loop
  }
}
