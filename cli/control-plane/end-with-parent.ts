/**
 * Loaded into a server process before its own code: when the process that started it is gone, for whatever reason,
 * the server and its process group end too.
 */
import { isMainThread } from "node:worker_threads";

if (isMainThread && process.channel) {
  process.on("disconnect", () => process.kill(-process.pid, "SIGKILL"));
  process.channel.unref();
}
