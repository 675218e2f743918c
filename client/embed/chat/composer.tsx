/**
 * Where a person writes. Enter sends, Shift and Enter is a new line, Escape stops the answer; while one is written,
 * what is typed waits.
 */
import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";
import { Send, Stop } from "../icons.tsx";

/** Safari says so when the composition is over already, and `isComposing` no more. */
const OF_INPUT_METHOD = 229;

interface ComposerProps {
  /** Where the person writes. */
  readonly box: RefObject<HTMLTextAreaElement | null>;
  readonly isAnswering: boolean;
  readonly onSend: (text: string) => void;
  readonly onStop: () => void;
}

export function Composer({ box, isAnswering, onSend, onStop }: ComposerProps) {
  const [text, setText] = useState("");
  const isEmpty = text.trim() === "";

  // As high as what is in it; the style sheet says where that ends. An empty one may not be laid out yet.
  useLayoutEffect(() => {
    const { current } = box;
    if (!current) return;
    current.style.height = "";
    if (text !== "") current.style.height = `${current.scrollHeight}px`;
  }, [text]);

  const send = () => {
    if (isAnswering || isEmpty) return;
    onSend(text.trim());
    setText("");
    box.current?.focus();
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      onKeyDown={({ key }) => {
        if (key === "Escape" && isAnswering) onStop();
      }}
    >
      <textarea
        ref={box}
        rows={1}
        value={text}
        aria-label="Your message"
        placeholder="Write a message"
        data-testid="message"
        enterkeyhint="send"
        onInput={({ currentTarget }) => setText(currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === OF_INPUT_METHOD) return; // it ends its word by Enter
          event.preventDefault();
          send();
        }}
      />
      {isAnswering ? (
        <button type="button" class="button round" aria-label="Stop the answer" data-testid="stop" onClick={onStop}>
          <Stop />
        </button>
      ) : (
        <button type="submit" class="button main round" aria-label="Send" data-testid="send" disabled={isEmpty}>
          <Send />
        </button>
      )}
    </form>
  );
}
