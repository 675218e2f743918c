/** What a tenant's page loads for the SDK before any model's runtime. */
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { expect, test } from "vitest";

const MOST_BYTES = 25 * 1024;

test("the SDK's entry is at most 25 KB, gzipped", { timeout: 60_000 }, async () => {
  const entry = fileURLToPath(new URL("../../../client/sdk/leasehold.ts", import.meta.url));
  const { output } = (await build({
    configFile: false,
    logLevel: "error",
    worker: { format: "es" },
    build: { write: false, target: "es2023", rolldownOptions: { input: entry, preserveEntrySignatures: "strict" } },
  })) as Rolldown.RolldownOutput;
  const main = output.find((part) => part.type === "chunk" && part.isEntry);
  const shared = output.filter((part) => part.type === "chunk" && main?.type === "chunk" && main.imports.includes(part.fileName));
  const bytes = [main, ...shared].reduce((sum, part) => sum + (part?.type === "chunk" ? gzipSync(part.code).length : 0), 0);
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThanOrEqual(MOST_BYTES);
});
