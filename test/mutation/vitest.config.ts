/**
 * What mutants are tried against: the unit tests of the ledger, the credentials and the audit chain, with the same
 * random cases each time, and a short life of the property test.
 */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/unit/{alerts,audit,contract,credentials,ledger,secrets}/**/*.test.ts"],
    environment: "node",
    setupFiles: ["test/mutation/seed.ts"],
    env: { LEDGER_STEPS: "3000", LEDGER_SEED: "1122" },
  },
});
