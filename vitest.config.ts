/**
 * Four projects, each for what only it can show:
 *
 * - `unit` (Node): decisions that are pure.
 * - `workers` (workerd): the Worker and the tenant object with D1, R2 and SQLite as in production. Fresh per test file.
 * - `browser` (real Chromium): the client's parts, cross-origin isolated, with the real onnxruntime-web.
 * - `e2e` (Node): `npm run dev` on a state of its own, over HTTP and with a real browser.
 *
 * Two cores are enough: one project runs after the other; of `unit` and `workers` two files at a time, each with a
 * process of its own, of the others one.
 */
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { ortFiles } from "./cli/build/ort-files.ts";
import { CHROMIUM_ARGS, chromiumPath } from "./cli/chromium.ts";
import { ORT_FILES, ORT_PATH } from "./client/runtime/ort-files.ts";
import { folderAt } from "./test/support/folder-at.ts";
import { FAILING, failingPath, ortFailing } from "./test/support/ort-failing.ts";
import { LACKING_PATH, ortLacking } from "./test/support/ort-lacking.ts";
import { SHARED_MODELS } from "./test/support/real-models.ts";
import { LOCAL_VARIABLES, makeSecrets, workerSecrets } from "./cli/secrets.ts";

const secrets = makeSecrets();
Object.assign(process.env, workerSecrets(secrets)); // wrangler warns of secrets that are required and not in the environment

const isolated = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

/** A page and a server take their time on a slow machine; the second that is the default is too short for both. */
const PATIENT = { poll: { timeout: 20_000 } };

export default defineConfig({
  test: {
    passWithNoTests: true,
    projects: [
      {
        test: { name: "unit", include: ["test/unit/**/*.test.ts"], environment: "node", maxWorkers: 2, sequence: { groupOrder: 0 } },
      },
      {
        plugins: [
          cloudflareTest(async () => ({
            main: "./test/support/main.ts",
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              // Two tenants with stores of their own, as a deployment would bind them.
              d1Databases: { DB_FULL_A: "full-a", DB_FULL_B: "full-b" },
              r2Buckets: { BLOBS_FULL_A: "full-a", BLOBS_FULL_B: "full-b" },
              bindings: {
                TENANT_STORES: { "full-a": { d1: "DB_FULL_A", r2: "BLOBS_FULL_A" }, "full-b": { d1: "DB_FULL_B", r2: "BLOBS_FULL_B" } },
                ...workerSecrets(secrets),
                ...LOCAL_VARIABLES,
                LEASE_ISSUER: "https://leasehold.test",
                HF_ENDPOINT: "http://127.0.0.1:9", // nobody: imports are shown in test/e2e/import.test.ts
                TEST_OPERATOR_KEY: secrets.operatorKey,
                TEST_SOAK: process.env.LEASEHOLD_SOAK === "1",
                TEST_MIGRATIONS: await readD1Migrations("schema/migrations"),
              },
            },
          })),
        ],
        test: {
          name: "workers",
          sequence: { groupOrder: 1 },
          include: ["test/workers/**/*.test.ts"],
          setupFiles: ["test/support/workers-setup.ts"],
          maxWorkers: 2,
          testTimeout: 30_000,
        },
      },
      {
        plugins: [ortFiles(ORT_PATH, ORT_FILES), ortLacking(), ortFiles(LACKING_PATH, ORT_FILES), ortFailing(), ...FAILING.map((which) => ortFiles(failingPath(which), ORT_FILES)), folderAt("/models/", SHARED_MODELS)],
        server: { headers: isolated },
        // Found only when a test imports them, they would reload the page under it.
        optimizeDeps: { include: ["idb", "@huggingface/jinja", "@huggingface/tokenizers", "preact", "preact/hooks", "preact/jsx-dev-runtime"] },
        oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
        test: {
          name: "browser",
          sequence: { groupOrder: 2 },
          include: ["test/browser/**/*.test.{ts,tsx}"],
          fileParallelism: false,
          testTimeout: 60_000,
          expect: PATIENT,
          provide: { isCi: process.env.CI === "true" },
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: { executablePath: await chromiumPath(), args: CHROMIUM_ARGS } }),
            instances: [{ browser: "chromium" }],
          },
        },
      },
      {
        test: {
          name: "e2e",
          sequence: { groupOrder: 3 },
          include: ["test/e2e/**/*.test.ts"],
          environment: "node",
          fileParallelism: false,
          testTimeout: 120_000,
          expect: PATIENT,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
