/**
 * The key that a tenant's leases are bound to in this browser (DPoP, RFC 9449).
 *
 * - One a tenant and browser, made once: a page that is loaded again goes on with it. Its private half can't be exported.
 * - Where nothing can be kept, a key for this page alone.
 * - Where the browser makes no such keys, none: leases are then unbound, and `LeaseBinding` says so.
 */
import { makeProofKey, type ProofKey } from "../../schema/contract/dpop-proof.ts";
import { type Drawer, openDrawer } from "./drawer.ts";

/** How leases are held. "bearer": whoever sees one can use it until it ends. */
export type LeaseBinding = { readonly kind: "dpop"; readonly jkt: string } | { readonly kind: "bearer"; readonly reason: string };

export type ProofKeyring = { readonly key: ProofKey } | { readonly key: null; readonly reason: string };

export async function openProofKey(tenant: string): Promise<ProofKeyring> {
  const drawer = await openDrawer(tenant).catch(() => null); // storage is refused: see above
  try {
    const kept = await drawer?.get("keys", "dpop").catch(() => undefined);
    if (kept) return { key: kept };
    const made = await makeProofKey();
    return { key: drawer ? await keepFirst(drawer, made) : made };
  } catch (error) {
    return { key: null, reason: `This browser makes no keys for signatures (${error instanceof Error ? error.message : String(error)}).` };
  } finally {
    drawer?.close();
  }
}

/** The key that is kept in the end: another tab may have been first. */
async function keepFirst(drawer: Drawer, made: ProofKey): Promise<ProofKey> {
  try {
    const change = drawer.transaction("keys", "readwrite");
    const first = await change.store.get("dpop");
    if (!first) await change.store.put(made, "dpop");
    await change.done;
    return first ?? made;
  } catch {
    return made; // can't be kept: good for this page
  }
}

export function bindingOf(keyring: ProofKeyring): LeaseBinding {
  return keyring.key ? { kind: "dpop", jkt: keyring.key.jkt } : { kind: "bearer", reason: keyring.reason };
}
