/** Runs before `npm pack`: builds what the package holds. */
import { buildPackage } from "./build/build-package.ts";

try {
  await buildPackage();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
