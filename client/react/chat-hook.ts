/**
 * A chat as a React hook: `const useChat = chatHook(React)`. React is the caller's, so that nothing here depends on a
 * version of it; Preact's hooks do as well.
 *
 * - `send` adds what the person says, then the answer as it streams. While one is written, another `send` is not taken.
 * - `stop`, a new `model` and the component's end stop the answer; what was written of it stays.
 * - `retry` asks the last question again, in place of what came of it.
 * - What was asked without an answer stays, and goes to the model as one with the next question: many templates want turns.
 * - A failure stands in `error` until the next `send` or `retry`; an answer of which nothing came is taken away.
 */
import type { LeaseholdError } from "../errors.ts";
import { asLeaseholdError } from "../sdk/as-error.ts";
import type { CallOptions } from "../sdk/text/hold.ts";
import type { ChatChunk, ChatRequest, Usage } from "../sdk/text/openai.ts";

/** What is used of React. */
export interface Hooks {
  useState<S>(initial: S): [S, (next: S | ((before: S) => S)) => void];
  useRef<T>(initial: T): { current: T };
  useEffect(effect: () => (() => void) | undefined, inputs: readonly unknown[]): void;
}

/** `Leasehold`, or whatever else streams chats in OpenAI's shape. */
export interface ChatSource {
  readonly chat: { readonly completions: { create(request: ChatRequest & { readonly stream: true }, options?: CallOptions): Promise<AsyncIterable<ChatChunk>> } };
}

export interface ChatMessage {
  readonly role: "user" | "assistant";
  readonly content: string;
}

export interface ChatSettings extends Omit<ChatRequest, "messages" | "stream" | "stream_options" | "n"> {
  readonly system?: string;
}

export interface Chat {
  readonly messages: readonly ChatMessage[];
  readonly isAnswering: boolean;
  readonly error: LeaseholdError | null;
  /** Of the last answer that came to its end. */
  readonly usage: Usage | null;
  /** Resolves when the answer has ended, however it did. */
  send(text: string): Promise<void>;
  retry(): Promise<void>;
  stop(): void;
  clear(): void;
}

export function chatHook({ useState, useRef, useEffect }: Hooks): (source: ChatSource, settings: ChatSettings) => Chat {
  return function useChat(source, { system, ...request }) {
    const [messages, setMessages] = useState<readonly ChatMessage[]>([]);
    const [error, setError] = useState<LeaseholdError | null>(null);
    const [usage, setUsage] = useState<Usage | null>(null);
    const [isAnswering, setAnswering] = useState(false);
    const stopping = useRef<AbortController | null>(null);
    const stop = () => stopping.current?.abort();
    useEffect(() => stop, [request.model]);

    const ask = async (asked: readonly ChatMessage[]): Promise<void> => {
      if (stopping.current || asked.length === 0) return;
      const own = new AbortController();
      stopping.current = own;
      let answer = "";
      const show = () => setMessages(answer === "" ? asked : [...asked, { role: "assistant", content: answer }]);
      setError(null);
      setAnswering(true);
      show();
      try {
        const told = [...(system === undefined ? [] : [{ role: "system", content: system }]), ...inTurns(asked)];
        const stream = await source.chat.completions.create({ ...request, messages: told, stream: true, stream_options: { include_usage: true } }, { signal: own.signal });
        for await (const { choices, usage: used } of stream) {
          if (used) setUsage(used);
          const piece = choices[0]?.delta.content ?? "";
          if (piece === "" || own.signal.aborted) continue;
          answer += piece;
          show();
        }
      } catch (thrown) {
        const failed = asLeaseholdError(thrown, own.signal);
        if (failed.code !== "aborted") setError(failed);
      } finally {
        stopping.current = null;
        setAnswering(false);
      }
    };
    const send = (text: string) => ask([...messages, { role: "user", content: text }]);
    const retry = () => ask(messages.slice(0, messages.findLastIndex(({ role }) => role === "user") + 1));
    const clear = () => {
      stop();
      setMessages([]);
      setError(null);
    };
    return { messages, isAnswering, error, usage, send, retry, stop, clear };
  };
}

function inTurns(messages: readonly ChatMessage[]): ChatMessage[] {
  const turns: ChatMessage[] = [];
  for (const message of messages) {
    const last = turns.at(-1);
    if (last?.role === message.role) turns.splice(-1, 1, { ...last, content: `${last.content}\n\n${message.content}` });
    else turns.push(message);
  }
  return turns;
}
