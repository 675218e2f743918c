/**
 * What is wrong with a request, as its refusal tells it. Pure.
 *
 * - At most `MOST_FAULTS` of them, each cut to a readable length: a body can have as many faults as fields, and some of
 *   them repeat what was sent.
 */
import type { Problem } from "../../schema/contract/problems.ts";
import { problem, type ProblemError } from "./problem.ts";

export const MOST_FAULTS = 20;
const MOST_CHARACTERS = 300;

interface Fault {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

const cut = (text: string) => (text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)}…`);

export function invalidRequest(faults: readonly Fault[]): ProblemError {
  const errors: NonNullable<Problem["errors"]> = faults.slice(0, MOST_FAULTS).map(({ path, message }) => ({ path: cut(path.map(String).join(".")), message: cut(message) }));
  const [first] = errors;
  return problem("invalid-request", `${first?.path ? `${first.path}: ` : ""}${first?.message ?? "The request is not valid."}`, { errors });
}
