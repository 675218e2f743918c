/**
 * A model's chat template: from messages to the prompt's text.
 *
 * - What the template itself refuses (`raise_exception`, a role it doesn't know) is `invalid-request` with its words.
 * - A developer's message is the system's to a template that knows no developers, as OpenAI has it for older models.
 * - `dialect`: how the template teaches the model to call tools; null where it doesn't, or in a way that can't be read.
 */
import { Template } from "@huggingface/jinja";
import { LeaseholdError } from "../../errors.ts";
import { type Dialect, dialectOf } from "../generate/tool-dialects.ts";

export interface TemplateMessage {
  readonly role: string;
  readonly content: string;
  readonly name?: string;
  readonly tool_call_id?: string;
  /** Arguments as an object: templates print them as JSON. */
  readonly tool_calls?: readonly { readonly id: string; readonly type: "function"; readonly function: { readonly name: string; readonly arguments: unknown } }[];
}

export class ChatTemplate {
  readonly dialect: Dialect | null;
  readonly #template: Template;
  readonly #specials: Readonly<Record<string, string>>;
  readonly #knowsDevelopers: boolean;

  constructor(source: string, specials: Readonly<Record<string, string>>) {
    this.#template = new Template(source);
    this.#specials = specials;
    this.#knowsDevelopers = source.includes("developer");
    this.dialect = dialectOf(source);
  }

  render(messages: readonly TemplateMessage[], tools?: readonly unknown[]): string {
    const known = this.#knowsDevelopers ? messages : messages.map((message) => (message.role === "developer" ? { ...message, role: "system" } : message));
    try {
      return this.#template.render({ ...this.#specials, messages: known, add_generation_prompt: true, ...(tools && { tools }) });
    } catch (error) {
      const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
      throw new LeaseholdError("invalid-request", `The model's chat template does not take these messages: ${why.slice(0, 200)}`, { cause: error });
    }
  }
}
