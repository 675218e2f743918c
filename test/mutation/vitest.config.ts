/**
 * What mutants of one group are tried against (run.ts names it), with the same random cases each time and a short life
 * of the property test.
 */
import { defineConfig } from "vitest/config";
import { GROUPS } from "./groups.ts";

const { MUTATION_GROUP } = process.env;
const groups = Object.entries(GROUPS).filter(([name]) => MUTATION_GROUP === undefined || name === MUTATION_GROUP);

export default defineConfig({
  test: {
    include: groups.flatMap(([, { tests }]) => tests.map((name) => `test/unit/${name}.test.ts`)),
    environment: "node",
    testTimeout: 60_000,
    setupFiles: ["test/mutation/seed.ts"],
    env: { LEDGER_STEPS: "2000", LEDGER_SEED: "1122" },
  },
});
