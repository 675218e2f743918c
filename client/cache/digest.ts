/** SHA-256 in lower-case hex, as the manifests spell it. */
import type { Sha256 } from "../../schema/contract/ids.ts";

export async function sha256Hex(bytes: BufferSource): Promise<Sha256> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") as Sha256;
}
