/** A folder that is there for one test file, and gone after it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";

/** The path is known from the first hook on. */
export function temporaryFolder(): { readonly path: string } {
  const folder = { path: "" };
  beforeAll(async () => {
    folder.path = await mkdtemp(join(tmpdir(), "leasehold-test-"));
  });
  afterAll(() => rm(folder.path, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}
