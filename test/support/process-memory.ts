/** What a browser's pages take of the machine's memory. */
import { execFileSync } from "node:child_process";
import type { Page } from "playwright-core";

/** Bytes that are resident for the page's renderer and all others of its browser, after garbage is collected. */
export async function rendererBytes(page: Page): Promise<number> {
  const browser = page.context().browser();
  const [session, own] = await Promise.all([browser?.newBrowserCDPSession(), page.context().newCDPSession(page)]);
  if (!session) throw new Error("this page has no browser");
  await own.send("HeapProfiler.collectGarbage");
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const pids = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => String(id));
  await Promise.all([own.detach(), session.detach()]);
  const lines = execFileSync("ps", ["-o", "rss=", "-p", pids.join(",")], { encoding: "utf8" }).trim().split("\n");
  return lines.reduce((sum, line) => sum + 1024 * Number(line), 0);
}
