/**
 * What Stryker leaves as it is: words for people, on which no behaviour hangs. The tests assert codes and balances, and
 * a test of a sentence would only repeat it.
 *
 * - descriptions of schemas (`.meta({ … })`), the words of a refusal (`refuse(code, words)`, `problem(code, words)`)
 *   where they stand as one literal, the message of a schema's check, messages of errors, and lines of the log.
 */
interface Node {
  readonly type: string;
  readonly callee?: Node;
  readonly object?: Node;
  readonly property?: Node;
  readonly name?: string;
  readonly arguments?: readonly Node[];
}

interface Path {
  readonly node: Node;
  readonly parent?: Node;
}

const isMethod = (callee: Node | undefined, object: string | null, method: string | null) =>
  callee?.type === "MemberExpression" && (object === null || callee.object?.name === object) && (method === null || callee.property?.name === method);
const isText = ({ type }: Node) => type === "StringLiteral" || type === "TemplateLiteral";
const isError = (parent: Node) => parent.type === "NewExpression" && parent.callee?.name?.endsWith("Error") === true;
const isRefusal = (parent: Node, node: Node) => (parent.callee?.name === "refuse" || parent.callee?.name === "problem") && parent.arguments?.[1] === node;

function whyLeft({ node, parent }: Path): string | undefined {
  if (parent?.type === "CallExpression" && isMethod(parent.callee, null, "meta") && parent.arguments?.includes(node)) return "the description of a schema";
  if (node.type === "CallExpression" && isMethod(node.callee, "console", null)) return "a line of the log";
  if (!parent || !isText(node)) return undefined;
  if (parent.type === "CallExpression" && (isMethod(parent.callee, null, "regex") || isMethod(parent.callee, null, "refine")) && parent.arguments?.[1] === node) return "the message of a check";
  if (isRefusal(parent, node)) return "the words of a refusal";
  if (isError(parent) || parent.callee?.type === "Super") return "the message of an error";
  return undefined;
}

export const strykerPlugins = [{ kind: "Ignore", name: "words", value: { shouldIgnore: whyLeft } }];
