/** What mutants are tried against: the unit tests of the ledger, the credentials and the audit chain. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["test/unit/ledger/**/*.test.ts", "test/unit/contract/**/*.test.ts", "test/unit/credentials/**/*.test.ts"], environment: "node" },
});
