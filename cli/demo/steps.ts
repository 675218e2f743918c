/** Shows what is being done: on a terminal one line that changes, elsewhere one line a step. */

export interface Steps {
  readonly show: (step: string, progress?: string) => void;
  /** Ends the line, so that what follows starts on one of its own. */
  readonly end: () => void;
}

const CLEAR_LINE = "\r\u001b[2K";

export function showSteps(stream: NodeJS.WriteStream): Steps {
  let current = "";
  return {
    show(step, progress) {
      if (stream.isTTY) {
        if (current && current !== step) stream.write(`${CLEAR_LINE}✓ ${current}\n`);
        stream.write(`${CLEAR_LINE}  ${step}… ${progress ?? ""}`);
      } else if (current !== step) {
        stream.write(`${step}…\n`);
      }
      current = step;
    },
    end() {
      if (stream.isTTY && current) stream.write(`${CLEAR_LINE}✓ ${current}\n`);
      current = "";
    },
  };
}
