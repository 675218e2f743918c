/**
 * `npm run screenshots`: takes the pictures of README.md, of the running demo, into docs/images/.
 * Real pages in a real browser; nothing is retouched.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Receipt, drawReceipt } from "./check/receipt.ts";
import { visit } from "./check/visit.ts";
import { startDemo } from "./demo/start.ts";
import { ROOT } from "./root.ts";
import { onShutdown } from "./shutdown.ts";

const RECEIPT: Receipt = {
  width: 640,
  height: 760,
  fontSize: 29,
  lines: ["HARBOUR COFFEE", "12 Quay Street, Old Town", "Receipt 004817", "2026-11-21  09:42", "2 x Flat white 7.60", "1 x Cardamom bun 3.20", "1 x Orange juice 4.50", "Total EUR 15.30", "Card payment approved", "Thank you, see you soon"],
};
/** The frame follows the height of what is in it. */
const SETTLE_MS = 1_000;
const VIEW = { width: 1280, height: 980 };
const IMAGES = join(ROOT, "docs/images");
const signal = onShutdown();
const folder = await mkdtemp(join(tmpdir(), "leasehold-screenshots-"));

try {
  await mkdir(IMAGES, { recursive: true });
  const demo = await startDemo({ stateDir: join(folder, "state"), anyPorts: true, log: () => undefined, onStep: () => undefined, signal });
  try {
    const picture = await drawReceipt(RECEIPT);
    for (const { tenant, site } of demo.tenants) {
      const person = await visit(`${site.url}/?backend=wasm`, join(folder, tenant.id));
      await person.read(picture);
      const file = join(IMAGES, `${tenant.id}.png`);
      // Not `fullPage`: it resizes the page while the picture is taken, and the frame's own layout comes too late.
      await person.page.setViewportSize(VIEW);
      await person.page.waitForTimeout(SETTLE_MS);
      await person.page.setViewportSize({ width: 1280, height: await person.page.evaluate(() => document.documentElement.scrollHeight) });
      await person.page.waitForTimeout(SETTLE_MS);
      await person.page.screenshot({ path: file, animations: "disabled" });
      console.log(file);
      await person.leave();
    }
  } finally {
    await demo.stop();
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
