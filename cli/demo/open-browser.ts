/** Opens an address in the person's browser. Where that can't be done, the address has been printed anyway. */
import { spawn } from "node:child_process";

export function openBrowser(url: string): void {
  const opener = process.platform === "darwin" ? "open" : "xdg-open";
  const child = spawn(opener, [url], { stdio: "ignore", detached: true });
  child.on("error", () => undefined); // no such program on this machine
  child.unref();
}
