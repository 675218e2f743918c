/** What was said, the newest in sight while the person has not scrolled away from it. */
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { ChatMessage } from "../../react/chat-hook.ts";
import type { Progress } from "../../sdk/progress.ts";
import { Bar } from "../bar.tsx";

interface MessagesProps {
  readonly messages: readonly ChatMessage[];
  readonly isAnswering: boolean;
  readonly progress: Progress | null;
}

/** So near to the end counts as at it. */
const NEAR = 40;

export function Messages({ messages, isAnswering, progress }: MessagesProps) {
  const log = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const isWaiting = isAnswering && messages.at(-1)?.role === "user";

  const stay = () => {
    const { current } = log;
    if (current && isAtEnd.current) current.scrollTop = current.scrollHeight;
  };

  useLayoutEffect(stay);
  // A phone that is turned, or its keyboard.
  useEffect(() => {
    const { current } = log;
    if (!current) return;
    const observer = new ResizeObserver(stay);
    observer.observe(current);
    return () => observer.disconnect();
  }, []);
  return (
    <div
      ref={log}
      class="log"
      role="log"
      aria-label="Chat"
      aria-busy={isAnswering}
      tabIndex={0}
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        isAtEnd.current = scrollHeight - scrollTop - clientHeight < NEAR;
      }}
    >
      {messages.map(({ role, content }, at) => (
        <p key={at} class="said" data-by={role} data-writing={isAnswering && at === messages.length - 1 && role === "assistant"}>
          <span class="unseen">{role === "user" ? "You: " : "Answer: "}</span>
          {content}
        </p>
      ))}
      {isWaiting && (
        <div class="said" data-by="assistant" data-testid="waiting">
          {progress ? <Bar progress={progress} /> : <span class="dots" role="img" aria-label="An answer is on its way" />}
        </div>
      )}
    </div>
  );
}
