/** `npm run build`: builds the client into dist/client, or says that it is up to date. */
import { buildClient } from "./build/build-client.ts";

try {
  console.log((await buildClient()) ? "Built dist/client." : "dist/client is up to date.");
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
