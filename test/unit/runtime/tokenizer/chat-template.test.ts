import { expect, it } from "vitest";
import { ChatTemplate } from "../../../../client/runtime/tokenizer/chat-template.ts";

const roles = "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}";
const told = [{ role: "developer", content: "Be brief." }, { role: "user", content: "Hello" }];

it("a developer's message is the system's to a template that knows no developers", () => {
  expect(new ChatTemplate(roles, {}).render(told)).toBe("<system>Be brief.<user>Hello");
  expect(new ChatTemplate(`{# system or developer #}${roles}`, {}).render(told)).toBe("<developer>Be brief.<user>Hello");
});
