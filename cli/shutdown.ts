/**
 * When a command has to end: Ctrl-C, SIGTERM, a closed terminal, or npm (which started it) being gone.
 * A second Ctrl-C or SIGTERM does not wait for the clean-up.
 */

/** A Ctrl-C in a terminal comes twice: npm passes on what the terminal sends to both. */
const DOUBLE_MS = 1_000;

export function onShutdown(): AbortSignal {
  const controller = new AbortController();
  let endedAt = Infinity;
  const end = (reason: string) => {
    endedAt = Math.min(endedAt, performance.now());
    controller.abort(new Error(reason));
  };
  const endOrExit = (reason: string) => {
    if (performance.now() > endedAt + DOUBLE_MS) process.exit(130);
    end(reason);
  };
  process.on("SIGINT", () => endOrExit("interrupted"));
  process.on("SIGTERM", () => endOrExit("terminated"));
  process.on("SIGHUP", () => end("the terminal was closed"));

  if (process.env.npm_lifecycle_event) {
    const parent = process.ppid;
    const watch = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(watch);
      end("npm is gone");
    }, 1_000);
    watch.unref();
  }
  return controller.signal;
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
