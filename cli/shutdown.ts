/**
 * When a command has to end: Ctrl-C, SIGTERM, a closed terminal, or npm (which started it) being gone.
 * A second Ctrl-C does not wait for the clean-up.
 */
export function onShutdown(): AbortSignal {
  const controller = new AbortController();
  const end = (reason: string) => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new Error(reason));
  };
  process.on("SIGINT", () => end("interrupted"));
  process.on("SIGTERM", () => end("terminated"));
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
