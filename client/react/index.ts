/** What a page imports as `leasehold/react`. React is the page's own. */
import { useEffect, useRef, useState } from "react";
import { chatHook } from "./chat-hook.ts";

export type { Chat, ChatMessage, ChatSettings, ChatSource } from "./chat-hook.ts";

/** A chat with a model: `const { messages, send, stop, isAnswering, error } = useChat(lh, { model: "chat" })`. */
export const useChat = chatHook({ useEffect, useRef, useState });
