/** Command-line arguments of the tools: a wrong one ends the program with status 2 and the right form. */

export function usageError<T>(help: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    console.error(`${(error as Error).message}\nUsage: ${help}`);
    process.exit(2);
  }
}

/** npm passes what follows `--`; an absent port is one to be chosen. */
export function parsePort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535) throw new Error(`--port must be a number from 1 to 65535, not "${text}".`);
  return port;
}
