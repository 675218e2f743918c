/** The widget as a chat: what was said, a line to write on, and every turn of it in the person's own browser. */
import { useEffect, useRef } from "preact/hooks";
import { EngineChip } from "../engine-chip.tsx";
import type { Line } from "../greeting.ts";
import { Alert, Lock, Plus, Retry, Speech } from "../icons.tsx";
import { QuotaLine } from "../quota-line.tsx";
import { showTheme } from "../theme.ts";
import { type OnQuota, useQuota } from "../use-quota.ts";
import { stageWords, whenWords } from "../wording.ts";
import { chatWords } from "./chat-words.ts";
import { Composer } from "./composer.tsx";
import { Messages } from "./messages.tsx";
import { type Talk, type Talking, useTalk } from "./use-talk.ts";

export interface ChatAppProps {
  readonly line: Line;
  readonly talk: Talk;
  readonly onQuota: OnQuota;
}

export function ChatApp({ line, talk, onQuota }: ChatAppProps) {
  const chat = useTalk(talk, line.settings.model);
  const quota = useQuota(line, onQuota);
  const box = useRef<HTMLTextAreaElement>(null);
  const begin = () => {
    chat.clear();
    box.current?.focus(); // the button that has it goes away
  };

  useEffect(() => {
    line.listen((message) => {
      if (message.kind === "theme") showTheme(message.theme);
      else if (message.kind === "read") line.send({ kind: "error", id: message.id, error: { code: "invalid-request", message: "This widget is a chat: it reads no pictures." } });
    });
    line.send({ kind: "ready" });
  }, [line]);
  useEffect(() => {
    if (chat.error) line.send({ kind: "error", id: null, error: { code: chat.error.code, message: chat.error.message } });
  }, [line, chat.error]);

  return (
    <main class="card chat" data-view="chat">
      <header class="head">
        <Speech />
        <p class="status" role="status" data-testid="status">
          {statusOf(chat)}
        </p>
        {chat.engine && <EngineChip engine={chat.engine} />}
        {chat.messages.length > 0 && (
          <button type="button" class="button quiet" data-testid="new" onClick={begin}>
            <Plus /> <span>New chat</span>
          </button>
        )}
      </header>

      {chat.messages.length === 0 ? (
        <div class="hello">
          <h1>Ask something</h1>
          <p>The answer is written on this device, by a small model. It can be wrong.</p>
        </div>
      ) : (
        <Messages messages={chat.messages} isAnswering={chat.isAnswering} progress={chat.progress} />
      )}
      {chat.error && <Trouble chat={chat} />}
      <Composer box={box} isAnswering={chat.isAnswering} onSend={(text) => void chat.send(text)} onStop={chat.stop} />

      <footer class="foot">
        <p class="promise">
          <Lock /> Runs in your browser. What you write is not uploaded.
        </p>
        {quota && <QuotaLine quota={quota} />}
      </footer>
    </main>
  );
}

function Trouble({ chat: { error, retry } }: { chat: Talking }) {
  if (!error) return null;
  const { title, text, remedy } = chatWords(error.code);
  return (
    <section class="trouble" role="alert" data-testid="error" data-code={error.code}>
      <Alert />
      <div>
        <h2>{title}</h2>
        <p>
          {text}
          {error.resetsAt && ` Resets ${whenWords(new Date(error.resetsAt), new Date())}.`}
        </p>
      </div>
      {remedy === "retry" && (
        <button type="button" class="button" data-testid="retry" onClick={() => void retry()}>
          <Retry /> Try again
        </button>
      )}
    </section>
  );
}

function statusOf({ isAnswering, messages, progress, error }: Talking): string {
  if (!isAnswering && error) return messages.at(-1)?.role === "assistant" ? "Cut off" : "No answer";
  if (!isAnswering) return messages.length === 0 ? "Ready" : "Your turn";
  if (messages.at(-1)?.role === "assistant") return "Answering";
  return progress && progress.stage !== "reading" ? stageWords(progress) : "Thinking";
}
